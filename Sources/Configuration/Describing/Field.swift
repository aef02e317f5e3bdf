import Basics

/// One setting of a group: its name, kind and meaning, and where its value goes.
struct Field<Settings: Sendable>: Sendable {
    let name: String
    /// Meaning, unit, and what happens at the limit, in one or two sentences.
    let summary: String
    let isRequired: Bool
    /// Why a setting that the interface names is refused, instead of ignored; nil for one that can be set.
    let refusal: String?
    let allowed: String
    let brief: String
    let schema: JSON
    let read: @Sendable (JSONNode, inout Settings, inout Reading) -> Void
    /// Null where nothing is set.
    let write: @Sendable (Settings) -> JSON
}

extension Field {
    /// A setting whose default is what `Shape.initial` has.
    init<Value>(
        _ name: String,
        _ path: any WritableKeyPath<Settings, Value> & Sendable,
        _ kind: Kind<Value>,
        _ summary: String,
        required isRequired: Bool = false
    ) {
        self.init(
            name: name,
            summary: summary,
            isRequired: isRequired,
            refusal: nil,
            allowed: kind.allowed,
            brief: kind.brief,
            schema: kind.schema,
            read: { node, settings, reading in
                if let value = kind.read(node, &reading) { settings[keyPath: path] = value }
            },
            write: { settings in kind.write(settings[keyPath: path]) }
        )
    }

    /// A setting that is absent unless the file gives it.
    init<Value>(
        _ name: String,
        optional path: any WritableKeyPath<Settings, Value?> & Sendable,
        _ kind: Kind<Value>,
        _ summary: String,
        required isRequired: Bool = false
    ) {
        self.init(name, path, kind.optional, summary, required: isRequired)
    }

    /// A setting that the interface names and this version does not have.
    static func unavailable(_ name: String) -> Field { refused(name, "is not available in this version") }

    /// A setting that other components have.
    static func refused(_ name: String, _ refusal: String) -> Field {
        Field(
            name: name,
            summary: "",
            isRequired: false,
            refusal: refusal,
            allowed: "",
            brief: "",
            schema: .null,
            read: { _, _, _ in },
            write: { _ in .null }
        )
    }

    /// Whether it can be set.
    var isAvailable: Bool { refusal == nil }

    /// The default as the file would have it; null for none.
    func initial(_ settings: Settings) -> JSON { write(settings) }

    /// The same setting of a part of a larger group.
    func at<Whole>(_ part: any WritableKeyPath<Whole, Settings> & Sendable) -> Field<Whole> {
        Field<Whole>(
            name: name,
            summary: summary,
            isRequired: isRequired,
            refusal: refusal,
            allowed: allowed,
            brief: brief,
            schema: schema,
            read: { node, whole, reading in read(node, &whole[keyPath: part], &reading) },
            write: { whole in write(whole[keyPath: part]) }
        )
    }
}

import Basics

/// One setting of a group: its name, kind and meaning, and where its value goes.
package struct Field<Settings: Sendable>: Sendable {
    package let name: String
    /// Meaning, unit, and what happens at the limit, in one or two sentences.
    let summary: String
    let isRequired: Bool
    /// Why a setting that the interface names is refused, instead of ignored; nil for one that can be set.
    let refusal: String?
    let form: ValueForm
    /// Whether the value could be read.
    let read: @Sendable (JSONNode, inout Settings, inout DecodeContext) -> Bool
    /// Null where nothing is set.
    let write: @Sendable (Settings) -> JSON
}

extension Field {
    /// A setting whose default is what `Shape.initial` has.
    package init<Value>(
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
            form: kind.form,
            read: { node, settings, context in
                guard let value = kind.read(node, &context) else { return false }
                settings[keyPath: path] = value
                return true
            },
            write: { settings in kind.write(settings[keyPath: path]) }
        )
    }

    /// A setting that is absent unless the file gives it.
    package init<Value>(
        _ name: String,
        optional path: any WritableKeyPath<Settings, Value?> & Sendable,
        _ kind: Kind<Value>,
        _ summary: String
    ) {
        self.init(name, path, kind.optional, summary)
    }

    /// A setting that the interface names and this version does not have.
    package static func unavailable(_ name: String) -> Field { refused(name, "is not available in this version") }

    /// A setting that other components have.
    package static func refused(_ name: String, _ refusal: String) -> Field {
        Field(
            name: name,
            summary: "",
            isRequired: false,
            refusal: refusal,
            form: ValueForm(allowed: "", brief: "", schema: .null),
            read: { _, _, _ in false },
            write: { _ in .null }
        )
    }

    /// Whether it can be set.
    var isAvailable: Bool { refusal == nil }

    /// The same setting of a part of a larger group.
    package func at<Whole>(_ part: any WritableKeyPath<Whole, Settings> & Sendable) -> Field<Whole> {
        Field<Whole>(
            name: name,
            summary: summary,
            isRequired: isRequired,
            refusal: refusal,
            form: form,
            read: { node, whole, context in read(node, &whole[keyPath: part], &context) },
            write: { whole in write(whole[keyPath: part]) }
        )
    }
}

package import Basics

extension Kind<String> {
    /// Any text but the empty one.
    package static let text = Kind.parsed(
        "a string that is not empty",
        brief: "text",
        schema: ["type": "string", "minLength": .integer(1)],
        parse: { $0.isEmpty ? nil : $0 },
        format: { $0 }
    )

    /// A path of an HTTP request.
    package static let urlPath = Kind.parsed(
        #"a path that begins with a slash, such as "/v1/traces""#,
        brief: "path of a URL",
        schema: ["type": "string", "pattern": #"^/|\$\{"#],
        parse: { $0.hasPrefix("/") && !$0.utf8.contains { $0.isControl || "?# ".utf8.contains($0) } ? $0 : nil },
        format: { $0 }
    )

    /// The name of an HTTP header (RFC 9110, section 5.1), in lower case.
    package static let headerName = Kind.parsed(
        "the name of an HTTP header",
        brief: "header name",
        schema: ["type": "string", "minLength": .integer(1)],
        parse: { isHeaderName($0) ? $0.lowercased() : nil },
        format: { $0 }
    )
}

extension Kind<Secret> {
    /// A text that is never shown, and can be read again where a file gives it.
    package static let secret = secret(of: "a string that is not empty") { text in
        !text.isEmpty && !text.utf8.contains(where: \.isControl)
    }

    /// The same for texts of one form, which `allowed` has in words.
    package static func secret(of allowed: String, takes: @escaping @Sendable (String) -> Bool) -> Kind<Secret> {
        Kind<Secret>(
            form: ValueForm(
                allowed: allowed,
                brief: "secret text",
                schema: ["type": "string", "minLength": .integer(1)],
                isSecret: true
            ),
            read: { node, context in
                guard let text = node.string, takes(text) else {
                    context.refuse(node, allowed: allowed, isSecret: true)
                    return nil
                }
                guard let source = context.files[node.offset] else { return Secret(text) }
                return Secret(text) { source().flatMap { takes($0) ? $0 : nil } }
            },
            write: { _ in .text(mask) }
        )
    }
}

extension Kind<Bool> {
    /// True or false.
    package static let flag = Kind(
        allowed: "true or false",
        brief: "`true` \\| `false`",
        schema: ["type": "boolean"],
        read: { node, context in
            if let value = node.bool { return value }
            context.refuse(node, allowed: "true or false")
            return nil
        },
        write: { .bool($0) }
    )
}

extension Kind<Int> {
    /// A whole number within limits.
    package static func integer(_ range: ClosedRange<Int>) -> Kind {
        let allowed = "a whole number from \(range.lowerBound) to \(range.upperBound)"
        return Kind(
            allowed: allowed,
            brief: "number",
            schema: [
                "type": "integer", "minimum": .integer(range.lowerBound), "maximum": .integer(range.upperBound),
            ],
            read: { node, context in
                if let value = node.integer, range.contains(value) { return value }
                context.refuse(node, allowed: allowed)
                return nil
            },
            write: { .integer($0) }
        )
    }
}

extension Kind<Double> {
    /// A number within limits.
    package static func number(_ range: ClosedRange<Double>) -> Kind {
        let (lowest, highest) = (JSON.number(range.lowerBound), JSON.number(range.upperBound))
        let allowed = "a number from \(lowest.lineText) to \(highest.lineText)"
        return Kind(
            allowed: allowed,
            brief: "number",
            schema: ["type": "number", "minimum": lowest, "maximum": highest],
            read: { node, context in
                if let value = node.double, range.contains(value) { return value }
                context.refuse(node, allowed: allowed)
                return nil
            },
            write: { .number($0) }
        )
    }
}

extension Kind<ByteCount> {
    /// A size with a unit, within limits.
    package static func size(_ range: PartialRangeFrom<ByteCount>) -> Kind {
        let allowed = ByteCount.form + ", at least \"\(range.lowerBound)\""
        return .parsed(
            allowed,
            brief: "size",
            schema: ["$ref": "#/$defs/size"],
            parse: { ByteCount(text: $0).flatMap { range.contains($0) ? $0 : nil } },
            format: \.description
        )
    }
}

extension Kind<Duration> {
    /// A duration with a unit, within limits.
    package static func duration(_ range: ClosedRange<Duration>) -> Kind {
        let least = range.lowerBound > .zero ? ", at least \"\(range.lowerBound.text)\"" : ""
        let allowed = Duration.form + least + ", at most \"\(range.upperBound.text)\""
        return .parsed(
            allowed,
            brief: "duration",
            schema: ["$ref": "#/$defs/duration"],
            parse: { Duration(text: $0).flatMap { range.contains($0) ? $0 : nil } },
            format: \.text
        )
    }

    /// How long something may take, at most a day.
    package static let pause = duration(.milliseconds(1) ... .seconds(24 * 3600))
}

extension Kind<ListenAddress> {
    /// Where a server listens.
    package static let address = Kind.parsed(
        ListenAddress.form,
        brief: "address",
        schema: ["type": "string", "pattern": #"^(\[[0-9a-fA-F:.%]+\]|[^:\[\]]+):[0-9]{1,5}$|^unix:/.|\$\{"#],
        parse: { ListenAddress(text: $0) },
        format: \.description
    )
}

extension Kind<AddressRange> {
    /// Where clients connect from.
    package static let addressRange = Kind.parsed(
        AddressRange.form,
        brief: "network",
        schema: ["type": "string", "minLength": .integer(1)],
        parse: { AddressRange(text: $0) },
        format: \.description
    )
}

extension Kind<JSONNode> {
    /// Any value.
    package static let anyJSON = Kind(
        allowed: "any JSON value",
        brief: "JSON",
        schema: [:],
        read: { node, _ in node },
        write: { JSON($0) }
    )
}

extension Kind where Value: Equatable {
    /// One of a few words.
    package static func choice(_ choices: KeyValuePairs<String, Value>) -> Kind {
        Kind<String>.word(among: choices.map(\.key)).matched(
            { word in choices.first { $0.key == word }?.value },
            { value in choices.first { $0.value == value }?.key ?? "" }
        )
    }
}

extension Kind<String> {
    /// One of a few words that stand for themselves.
    package static func word(among words: [String]) -> Kind {
        let allowed = words.map(quoted).joined(separator: ", ")
        return Kind(
            allowed: allowed,
            brief: words.map { "`\($0)`" }.joined(separator: " \\| "),
            schema: ["anyOf": [["enum": .words(words)], ["$ref": "#/$defs/substituted"]]],
            read: { node, context in
                if let text = node.string, words.contains(text) { return text }
                context.refuse(node, allowed: allowed, instead: nearest(to: node.string ?? "", among: words))
                return nil
            },
            write: { .text($0) }
        )
    }
}

extension UInt8 {
    /// Whether it is an ASCII control character.
    package var isControl: Bool { self < 0x20 || self == 0x7F }
}

/// Whether the text is a token of RFC 9110.
package func isHeaderName(_ text: String) -> Bool {
    let marks = "!#$%&'*+-.^_`|~".utf8
    return !text.isEmpty
        && text.utf8.allSatisfy { byte in
            marks.contains(byte) || byte.isDigit || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
        }
}

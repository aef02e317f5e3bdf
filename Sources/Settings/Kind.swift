package import Basics

/// How a value is written in the pipeline file: in words, as JSON Schema and for the reference.
package struct ValueForm: Sendable {
    /// Ends the sentence "allowed: …".
    package let allowed: String
    /// A few words for the reference table, in Markdown.
    let brief: String
    let schema: JSON
    /// Whether values are never shown.
    var isSecret = false
    /// The reference of the groups of settings in it.
    var tables: [ReferenceTable] = []
}

/// One kind of setting: the form of its values, and how they are read and written.
package struct Kind<Value: Sendable>: Sendable {
    package let form: ValueForm
    /// Reports what is wrong and returns nil, or returns the value.
    package let read: @Sendable (JSONNode, inout DecodeContext) -> Value?
    /// The value as the file would have it, secrets masked.
    package let write: @Sendable (Value) -> JSON
}

extension Kind {
    /// - Parameters:
    ///   - allowed: Ends the sentence "allowed: …".
    ///   - brief: A few words for the reference table, in Markdown.
    ///   - schema: JSON Schema of the value.
    ///   - read: Reports what is wrong and returns nil, or returns the value.
    ///   - write: The value as the file would have it, secrets masked.
    package init(
        allowed: String,
        brief: String,
        schema: JSON,
        read: @escaping @Sendable (JSONNode, inout DecodeContext) -> Value?,
        write: @escaping @Sendable (Value) -> JSON
    ) {
        self.init(form: ValueForm(allowed: allowed, brief: brief, schema: schema), read: read, write: write)
    }

    /// A kind of values that are written as strings; `parse` returns nil where the text is none of what is allowed.
    package static func parsed(
        _ allowed: String,
        brief: String,
        schema: JSON,
        isSecret: Bool = false,
        parse: @escaping @Sendable (String) -> Value?,
        format: @escaping @Sendable (Value) -> String
    ) -> Kind {
        Kind(
            form: ValueForm(allowed: allowed, brief: brief, schema: schema, isSecret: isSecret),
            read: { node, context in
                if let text = node.string, let value = parse(text) { return value }
                context.refuse(node, allowed: allowed, isSecret: isSecret)
                return nil
            },
            write: { value in .text(isSecret ? mask : withoutCredentials(format(value))) }
        )
    }

    /// The same kind of setting, held as another type; `wrap` returns nil only for what `read` never gives.
    package func matched<Other: Sendable>(
        _ wrap: @escaping @Sendable (Value) -> Other?,
        _ unwrap: @escaping @Sendable (Other) -> Value
    ) -> Kind<Other> {
        Kind<Other>(
            form: form,
            read: { node, context in read(node, &context).flatMap(wrap) },
            write: { value in write(unwrap(value)) }
        )
    }

    /// The same kind of setting where a value may be absent.
    var optional: Kind<Value?> {
        Kind<Value?>(
            form: form,
            read: { node, context in read(node, &context).map(Optional.some) },
            write: { value in value.map(write) ?? .null }
        )
    }
}

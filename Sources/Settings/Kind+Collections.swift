package import Basics

extension Kind {
    /// An array without repeats.
    package static func list<Element>(of element: Kind<Element>) -> Kind
    where Value == [Element], Element: Hashable {
        let allowed = "an array, each element \(element.form.allowed)"
        return Kind(
            allowed: allowed,
            brief: "array of \(element.form.brief)",
            schema: ["type": "array", "items": element.form.schema, "uniqueItems": true],
            read: { node, context in
                guard let nodes = node.elements else {
                    context.refuse(node, allowed: allowed, isSecret: element.form.isSecret)
                    return nil
                }
                var values: [Element] = []
                for (index, node) in nodes.enumerated() {
                    context.within("\(index)") { context in
                        guard let value = element.read(node, &context) else { return }
                        if values.contains(value) {
                            context.report("\(context.shown(node)) stands here twice", at: node.offset)
                        }
                        values.append(value)
                    }
                }
                return values
            },
            write: { values in .array(values.map(element.write)) }
        )
    }

    /// An object whose names are the user's, in the order of the file.
    package static func map<Element>(_ name: Kind<String>, to element: Kind<Element>) -> Kind
    where Value == [Named<Element>] {
        let allowed = "an object, each name \(name.form.allowed), each value \(element.form.allowed)"
        let form = ValueForm(
            allowed: allowed,
            brief: "object of \(element.form.brief)",
            schema: [
                "type": "object", "additionalProperties": element.form.schema, "propertyNames": name.form.schema,
            ],
            tables: element.form.tables.below("NAME")
        )
        return Kind(
            form: form,
            read: { node, context in
                let isSecret = element.form.isSecret
                guard let members = node.uniqueMembers(&context, allowed: allowed, isSecret: isSecret) else {
                    return nil
                }
                return members.compactMap { member in
                    context.within(member.name) { context in
                        let key = name.read(JSONNode(.string(member.name), offset: member.nameOffset), &context)
                        let value = element.read(member.node, &context)
                        guard let key, let value else { return nil }
                        return Named(name: key, value: value)
                    }
                }
            },
            write: { entries in
                .object(entries.map { JSON.Member($0.name, element.write($0.value)) })
            }
        )
    }

    /// A group of settings of its own.
    package static func group(_ shape: Shape<Value>) -> Kind {
        Kind(
            form: ValueForm(allowed: "an object", brief: "object", schema: shape.schema(), tables: shape.tables),
            read: { node, context in shape.read(node, &context) },
            write: { value in shape.write(value) }
        )
    }

    /// An array of groups of settings.
    package static func array<Element>(of shape: Shape<Element>) -> Kind where Value == [Element] {
        let allowed = "an array of objects"
        let form = ValueForm(
            allowed: allowed,
            brief: "array of objects",
            schema: ["type": "array", "items": shape.schema()],
            isSecret: shape.hasSecrets,
            tables: shape.tables.below("[]")
        )
        return Kind(
            form: form,
            read: { node, context in
                guard let elements = node.elements else {
                    context.refuse(node, allowed: allowed, isSecret: shape.hasSecrets)
                    return nil
                }
                return elements.enumerated().compactMap { index, element in
                    context.within("\(index)") { context in shape.read(element, &context) }
                }
            },
            write: { values in .array(values.map { shape.write($0) }) }
        )
    }
}

/// A value under the name that the file gives it.
package struct Named<Value: Sendable>: Sendable {
    package let name: String
    package let value: Value

    package init(name: String, value: Value) {
        self.name = name
        self.value = value
    }
}

extension Named: Equatable where Value: Equatable {}

extension JSONNode {
    /// The members of an object, the first of each name; repeated names and other values are reported.
    package func uniqueMembers(
        _ context: inout DecodeContext,
        allowed: String,
        isSecret: Bool = false
    ) -> [Member]? {
        guard let members else {
            context.refuse(self, allowed: allowed, isSecret: isSecret)
            return nil
        }
        var unique: [Member] = []
        for member in members {
            guard unique.contains(where: { $0.name == member.name }) else {
                unique.append(member)
                continue
            }
            context.within(member.name) { context in
                context.report(
                    "\(quoted(member.name)) stands here a second time; a name may stand once",
                    at: member.nameOffset
                )
            }
        }
        return unique
    }
}

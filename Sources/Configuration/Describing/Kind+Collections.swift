import Basics

extension Kind {
    /// An array without repeats.
    static func list<Element>(of element: Kind<Element>) -> Kind
    where Value == [Element], Element: Hashable {
        let allowed = "an array, each element \(element.allowed)"
        return Kind(
            allowed: allowed,
            brief: "array of \(element.brief)",
            schema: ["type": "array", "items": element.schema, "uniqueItems": true],
            read: { node, reading in
                guard let nodes = node.elements else {
                    reading.refuse(node, allowed: allowed, isSecret: element.isSecret)
                    return nil
                }
                var values: [Element] = []
                for (index, node) in nodes.enumerated() {
                    reading.within("\(index)") { reading in
                        guard let value = element.read(node, &reading) else { return }
                        if values.contains(value) {
                            reading.report(
                                "\(node.shown(hidden: reading.isHidden(node))) stands here twice",
                                at: node.offset
                            )
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
    static func map<Element>(_ name: Kind<String>, to element: Kind<Element>) -> Kind
    where Value == [Named<Element>] {
        let allowed = "an object, each name \(name.allowed), each value \(element.allowed)"
        return Kind(
            allowed: allowed,
            brief: "object of \(element.brief)",
            schema: ["type": "object", "additionalProperties": element.schema, "propertyNames": name.schema],
            read: { node, reading in
                guard let members = node.uniqueMembers(&reading, allowed: allowed, isSecret: element.isSecret) else {
                    return nil
                }
                return members.compactMap { member in
                    reading.within(member.name) { reading in
                        let key = name.read(JSONNode(.string(member.name), offset: member.nameOffset), &reading)
                        let value = element.read(member.node, &reading)
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
    static func group(_ shape: Shape<Value>) -> Kind {
        Kind(
            allowed: "an object",
            brief: "object",
            schema: shape.schema(),
            read: { node, reading in shape.read(node, &reading) },
            write: { value in shape.write(value) }
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
    func uniqueMembers(_ reading: inout Reading, allowed: String, isSecret: Bool = false) -> [Member]? {
        guard let members else {
            reading.refuse(self, allowed: allowed, isSecret: isSecret)
            return nil
        }
        var unique: [Member] = []
        for member in members {
            guard unique.contains(where: { $0.name == member.name }) else {
                unique.append(member)
                continue
            }
            reading.within(member.name) { reading in
                reading.report(
                    "\(quoted(member.name)) stands here a second time; a name may stand once",
                    at: member.nameOffset
                )
            }
        }
        return unique
    }
}

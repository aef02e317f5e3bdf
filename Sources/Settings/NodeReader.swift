package import Basics

/// A node and the pointer that leads to it.
package struct NodePlace: Sendable {
    package let node: JSONNode
    package let pointer: String

    package init(_ node: JSONNode, pointer: String = "") {
        self.node = node
        self.pointer = pointer
    }

    /// The member of that name.
    package subscript(name: String) -> NodePlace? {
        node[name].map { NodePlace($0, pointer: pointer + name.pointerStep) }
    }

    /// The elements, where it is an array.
    package var elements: [NodePlace]? {
        node.elements?.enumerated().map { NodePlace($1, pointer: "\(pointer)/\($0)") }
    }

    /// The members, where it is an object.
    package var members: [(name: String, place: NodePlace)]? {
        node.members?.map { ($0.name, NodePlace($0.node, pointer: pointer + $0.name.pointerStep)) }
    }
}

/// Reads a document strictly and goes on after a problem, so that all of them are found at once.
package struct NodeReader: Sendable {
    /// What was wrong so far.
    package private(set) var problems: [Problem] = []

    package init() {}

    /// Notes a problem.
    package mutating func report(_ place: NodePlace, _ message: String) {
        problems.append(Problem(offset: place.node.offset, pointer: place.pointer, message: message))
    }

    /// Ends the reading: throws where anything was wrong.
    package func finish() throws(DocumentProblems) {
        guard problems.isEmpty else { throw DocumentProblems(list: problems) }
    }

    /// Whether it is an object with no other members than `allowed` and none twice.
    package mutating func expectObject(_ place: NodePlace, of allowed: [String]) -> Bool {
        guard let members = place.node.members else {
            report(place, "an object is expected")
            return false
        }
        var seen: Set<String> = []
        for member in members {
            let message: String? =
                if !allowed.contains(member.name) {
                    "\"\(member.name)\" is not known here; allowed: \(allowed.joined(separator: ", "))"
                } else if !seen.insert(member.name).inserted {
                    "\"\(member.name)\" is given twice"
                } else {
                    nil
                }
            guard let message else { continue }
            problems.append(
                Problem(offset: member.nameOffset, pointer: place.pointer, message: message)
            )
        }
        return true
    }

    /// The string of a member that must be there.
    package mutating func string(_ name: String, of place: NodePlace) -> String? {
        guard let member = place[name] else {
            report(place, "\"\(name)\" is missing")
            return nil
        }
        return string(member)
    }

    /// The string of a member that may be left out.
    package mutating func optionalString(_ name: String, of place: NodePlace) -> String? {
        place[name].flatMap { string($0) }
    }

    /// The strings of a member that may be left out: one string or an array of them.
    package mutating func strings(_ name: String, of place: NodePlace) -> [String] {
        guard let member = place[name] else { return [] }
        guard let elements = member.elements else { return string(member).map { [$0] } ?? [] }
        return elements.compactMap { string($0) }
    }

    /// The truth value of a member that may be left out.
    package mutating func flag(_ name: String, of place: NodePlace) -> Bool {
        guard let member = place[name] else { return false }
        guard let flag = member.node.bool else {
            report(member, "true or false is expected")
            return false
        }
        return flag
    }

    private mutating func string(_ place: NodePlace) -> String? {
        guard let string = place.node.string, !string.isEmpty else {
            report(place, "a string that is not empty is expected")
            return nil
        }
        return string
    }
}

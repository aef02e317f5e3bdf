import Basics
import Settings

/// A value inside of an object that an emitter puts around it: what a person would call the message is the member.
///
/// An object that has any other member than those named here is no such wrapper, and stays as it came.
package struct WrapperRule: Sendable {
    /// The member that is shown.
    package var member: String
    /// Whether the member is a list of one element, which is shown; longer lists stay as they came.
    package var isOnlyElement = false
    /// Members that are there and hold nothing.
    package var empty: [String] = []
    /// Members that are there, whatever they hold.
    package var required: [String] = []
    /// Members that may be there, whatever they hold.
    package var optional: [String] = []
    /// Whether a tool's own argument may have that name, so that nothing is opened on spans of tools.
    package var exceptTools = false
}

extension WrapperRule {
    /// The wrappers that are known by name, each name with those that it stands for.
    static let named: [String: [WrapperRule]] = {
        guard let node = try? MappingRules.parse(EmbeddedRules.wrappers) else { return [:] }
        var reader = NodeReader()
        let place = NodePlace(node)
        var table: [String: [WrapperRule]] = [:]
        for (name, list) in place.members ?? [] {
            table[name] = (list.elements ?? []).compactMap { reader.wrapper($0) }
        }
        return table
    }()
}

extension NodeReader {
    /// The wrappers of a source: names of built-in ones, and objects for others.
    mutating func wrappers(of place: NodePlace) -> [WrapperRule] {
        guard let list = place["open"] else { return [] }
        return (list.elements ?? [list]).flatMap { element -> [WrapperRule] in
            guard let name = element.node.string else { return [wrapper(element)].compactMap { $0 } }
            if let known = WrapperRule.named[name] { return known }
            let allowed = WrapperRule.named.keys.sorted().joined(separator: ", ")
            report(element, "\"\(name)\" is no wrapper; allowed: \(allowed), or an object with a \"member\"")
            return []
        }
    }

    fileprivate mutating func wrapper(_ place: NodePlace) -> WrapperRule? {
        guard expectObject(place, of: ["member", "only", "empty", "with", "optional", "except_tools"]),
            let member = string("member", of: place)
        else { return nil }
        var rule = WrapperRule(member: member)
        rule.isOnlyElement = flag("only", of: place)
        rule.empty = strings("empty", of: place)
        rule.required = strings("with", of: place)
        rule.optional = strings("optional", of: place)
        rule.exceptTools = flag("except_tools", of: place)
        return rule
    }
}

package import Basics
package import Settings

extension Kind<[JSONNode]> {
    /// Mapping rules of the user: documents of the same form as the built-in ones.
    package static let rules = Kind(
        allowed: "an array of objects with groups of rules",
        brief: "array of rules",
        schema: ["type": "array", "items": RuleSchemas.document],
        read: { node, context in
            guard let elements = node.elements else {
                context.refuse(node, allowed: "an array of objects with groups of rules")
                return nil
            }
            for (index, element) in elements.enumerated() {
                context.within("\(index)") { context in
                    do throws(DocumentProblems) {
                        _ = try RuleDocument(userRules: element)
                    } catch {
                        context.report(error)
                    }
                }
            }
            return elements
        },
        write: { .array($0.map(JSON.init)) }
    )
}

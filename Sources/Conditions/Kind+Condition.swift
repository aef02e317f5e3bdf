package import Basics
package import Settings

extension Kind<JSONNode> {
    /// A condition on single spans.
    package static let condition = Kind(
        allowed: "a condition, such as {\"status\": \"error\"}",
        brief: "condition",
        schema: ["type": "object", "minProperties": .integer(1)],
        read: { node, context in
            do throws(DocumentProblems) {
                _ = try Condition(decoding: node)
            } catch {
                context.report(error)
            }
            return node
        },
        write: { JSON($0) }
    )
}

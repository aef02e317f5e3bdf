import Basics

/// Identities as labels of series: 256 have their own, and those that come later share `overflow="true"`.
package struct IdentityLabels: Sendable {
    /// A label and its value.
    package struct Label: Hashable, Sendable {
        package let name: String
        private let exact: ExactText

        package var value: String { exact.text }

        fileprivate init(name: String, value: String) {
            self.name = name
            exact = ExactText(value)
        }
    }

    /// Identities with labels of their own, at most.
    package static let identitiesMax = 256

    private var identities: Set<ExactText> = []

    package init() {}

    /// The label of an identity, for as long as the process runs.
    package mutating func label(of identity: String) -> Label {
        guard identities.contains(ExactText(identity)) || identities.count < Self.identitiesMax else {
            return Label(name: "overflow", value: "true")
        }
        identities.insert(ExactText(identity))
        return Label(name: "identity", value: identity)
    }
}

/// Identities as labels of series: 256 have their own, and those that come later share `overflow="true"`.
package struct IdentityLabels: Sendable {
    /// A label and its value.
    package struct Label: Hashable, Sendable {
        package let name: String
        package let value: String
    }

    /// Identities with labels of their own, at most.
    package static let identitiesMax = 256

    private var identities: Set<String> = []

    package init() {}

    /// The label of an identity, for as long as the process runs.
    package mutating func label(of identity: String) -> Label {
        guard identities.contains(identity) || identities.count < Self.identitiesMax else {
            return Label(name: "overflow", value: "true")
        }
        identities.insert(identity)
        return Label(name: "identity", value: identity)
    }
}

/// What this program is called where others see it.
package enum Product {
    package static let name = "millrace"
    /// Semantic versioning.
    package static let version = "0.1.0"
}

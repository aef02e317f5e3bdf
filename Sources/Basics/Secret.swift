/// A text that is never shown, and how it is read again where a file gave it.
package struct Secret: Sendable {
    /// The text itself, for requests alone.
    package let text: String
    private let source: (@Sendable () -> String?)?

    /// - Parameters:
    ///   - text: What is never shown.
    ///   - source: Reads it again, nil where that fails; blocks for the disk. Nil for a text that cannot change.
    package init(_ text: String, source: (@Sendable () -> String?)? = nil) {
        self.text = text
        self.source = source
    }

    /// Whether a file gave it.
    package var isFromFile: Bool { source != nil }

    /// The same secret as it is now, or as it was where it cannot be read; blocks for the disk.
    package func read() -> Secret { reread() ?? self }

    /// The same secret as its file gives it now; nil where that cannot be used, or no file gave it.
    ///
    /// Blocks for the disk.
    package func reread() -> Secret? {
        guard let source, let text = source() else { return nil }
        return Secret(text, source: source)
    }
}

extension Secret: Equatable {
    /// Whether the texts are the same.
    package static func == (lhs: Secret, rhs: Secret) -> Bool { lhs.text == rhs.text }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// What stands for a secret wherever a value is shown.
    package static let mask = "***"

    package var description: String { Self.mask }
    package var debugDescription: String { Self.mask }
    package var customMirror: Mirror { Mirror(reflecting: Self.mask) }
}

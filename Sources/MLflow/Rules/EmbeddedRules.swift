import CEmbedded

/// The rule documents inside the binary.
package enum EmbeddedRules {
    /// The conventions, each with the text of its document, in the order of their names.
    package static var conventions: [(name: String, text: [UInt8])] {
        (0..<millrace_convention_count()).map { index in
            unsafe (
                String(cString: millrace_convention_name(index)),
                bytes(millrace_convention_bytes(index), millrace_convention_size(index))
            )
        }
    }

    /// The text that says which rule wins.
    package static var precedence: [UInt8] {
        unsafe bytes(millrace_precedence_bytes(), millrace_precedence_size())
    }

    /// The text with the wrappers that rules name.
    static var wrappers: [UInt8] {
        unsafe bytes(millrace_wrappers_bytes(), millrace_wrappers_size())
    }

    private static func bytes(_ start: UnsafePointer<UInt8>?, _ count: Int) -> [UInt8] {
        unsafe Array(UnsafeBufferPointer(start: start, count: count))
    }
}

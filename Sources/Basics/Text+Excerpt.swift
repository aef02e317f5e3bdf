extension StringProtocol {
    /// The text on one line for logs and reports: control characters and line ends become single spaces, and what goes
    /// over `max` characters is cut, with an ellipsis in its place.
    ///
    /// Of a character with more than a few combining marks only the first part is kept.
    package func excerpt(max: Int = 300) -> String {
        var line = ""
        var count = 0
        var isSpacePending = false
        for character in self {
            if character.isWhitespace || character.isControl {
                isSpacePending = count > 0
                continue
            }
            guard count + (isSpacePending ? 1 : 0) < max else { return line + "…" }
            if isSpacePending { line.append(" ") }
            count += isSpacePending ? 2 : 1
            isSpacePending = false
            line.append(character.bounded)
        }
        return line
    }
}

extension String {
    /// The text with nothing that a terminal would act on: a replacement character stands for each control character but line
    /// ends and tabs.
    package var withoutControls: String {
        guard hasControls else { return self }
        var text = String.UnicodeScalarView()
        for scalar in unicodeScalars { text.append(scalar.isControl && !scalar.isLayout ? "\u{FFFD}" : scalar) }
        return String(text)
    }

    /// JSON text with nothing that a terminal would act on, and the same value: in texts such characters are escaped, and
    /// nowhere else does JSON have any but line ends and tabs.
    package var escapingControlsInJSON: String {
        guard hasControls else { return self }
        var text = String.UnicodeScalarView()
        for scalar in unicodeScalars {
            guard scalar.isControl, !scalar.isLayout else {
                text.append(scalar)
                continue
            }
            let digits = String(scalar.value, radix: 16)
            text += ("\\u" + String(repeating: "0", count: 4 - digits.count) + digits).unicodeScalars
        }
        return String(text)
    }

    private var hasControls: Bool { unicodeScalars.contains { $0.isControl && !$0.isLayout } }
}

extension Character {
    /// The longest character that is shown whole: families and flags are shorter.
    private static let bytesMax = 64

    /// Whether a terminal would act on it, or would show what follows in another order, instead of showing it.
    package var isControl: Bool { unicodeScalars.contains(where: \.isControl) }

    fileprivate var bounded: Character {
        guard utf8.count > Self.bytesMax, let first = unicodeScalars.first else { return self }
        return Character(first)
    }
}

extension Unicode.Scalar {
    /// C0, DEL, C1, line and paragraph separators, and what turns the direction of text.
    fileprivate var isControl: Bool {
        switch value {
        case 0..<0x20, 0x7F..<0xA0, 0x061C, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: true
        default: false
        }
    }

    /// What text of several lines is laid out with.
    fileprivate var isLayout: Bool { self == "\n" || self == "\t" }
}

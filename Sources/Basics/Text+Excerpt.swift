extension StringProtocol {
    /// The text on one line for logs and reports: control characters and line ends become single spaces, and what goes
    /// over `max` characters is cut, with an ellipsis in its place.
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
            line.append(character)
        }
        return line
    }
}

extension Character {
    /// Whether a terminal would act on it, or would show what follows in another order, instead of showing it.
    package var isControl: Bool {
        unicodeScalars.contains { scalar in
            switch scalar.value {
            case 0..<0x20, 0x7F..<0xA0, 0x200E...0x200F, 0x2028...0x202E, 0x2066...0x2069: true
            default: false
            }
        }
    }
}

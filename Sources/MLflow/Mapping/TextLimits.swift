import Basics

/// What MLflow takes at most, in characters as Python counts them; over it a whole request is refused.
enum TextLimit {
    static let session = 250
    static let user = 250
    static let traceName = 4096
    static let type = 500
}

extension RawSpan {
    /// The beginning of a text that has at most that many Unicode scalars.
    func prefix(of range: Range<Int>, characters: Int) -> Range<Int> {
        guard range.count > characters else { return range }
        var count = 0
        for offset in range where byte(at: offset) & 0xC0 != 0x80 {
            if count == characters { return range.lowerBound..<offset }
            count += 1
        }
        return range
    }
}

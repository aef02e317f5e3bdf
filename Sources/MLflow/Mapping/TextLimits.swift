import Basics

/// Characters, as Python counts them, that MLflow takes at most, so that it does not refuse a whole request; and that the mapper takes.
enum TextLimit {
    static let session = 250
    static let user = 250
    static let traceName = 4096
    static let type = 500
    /// Of what Millrace writes: the name of a tool, of a service and the message of a failure.
    static let spanName = 256
    static let service = 256
    /// Of a model that a span gets from the call below it.
    static let model = 256
    static let statusMessage = 4096
    static let errorType = 256
    /// Of an id by which calls are told apart.
    static let answerID = 256
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

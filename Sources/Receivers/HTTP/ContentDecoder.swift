import Basics

/// Undoes the codings of a body, one after the other, while it arrives.
final class ContentDecoder {
    private let stages: [Inflater]
    private let limit: ByteCount
    /// Bytes that each stage made, for a bound on what lies between stages too.
    private var produced: [Int]

    /// - Parameters:
    ///   - formats: In the order in which they are undone.
    ///   - limit: The most that any of them may produce.
    init(_ formats: [Inflater.Format], limit: ByteCount) {
        stages = formats.map(Inflater.init)
        self.limit = limit
        produced = Array(repeating: 0, count: formats.count)
    }

    /// What it holds besides the body.
    var workingBytes: Int { stages.count * Inflater.workingBytes }

    /// Decodes the next bytes; `emit` gets what they become, in pieces.
    func decode(_ input: RawSpan, emit: (ArraySlice<UInt8>) throws(HTTPError) -> Void) throws(HTTPError) {
        try run(0, input, emit)
    }

    /// Checks that the body did not end early.
    func finish() throws(HTTPError) {
        for stage in stages { try stage.finish() }
    }

    private func run(
        _ stage: Int,
        _ input: RawSpan,
        _ emit: (ArraySlice<UInt8>) throws(HTTPError) -> Void
    ) throws(HTTPError) {
        try stages[stage].inflate(input) { (chunk) throws(HTTPError) in
            produced[stage] += chunk.count
            guard produced[stage] <= limit.bytes else { throw .tooLarge(limit) }
            if stage + 1 < stages.count {
                try run(stage + 1, chunk.span.bytes, emit)
            } else {
                try emit(chunk)
            }
        }
    }
}

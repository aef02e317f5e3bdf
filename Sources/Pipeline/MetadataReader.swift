import Basics
import Journal

/// Reads the metadata of many records, of which neighbours mostly differ in their traces alone: what is the same is read once.
struct MetadataReader: Sendable {
    private struct Known: Sendable {
        let bytes: [UInt8]
        /// Where the id of the trace stands.
        let trace: Range<Int>
        let metadata: RecordMetadata
    }

    private var known: Known?

    /// Reads what `RecordMetadata.encoded()` wrote; nil where the bytes are something else.
    mutating func read(_ bytes: [UInt8]) -> RecordMetadata? {
        if let metadata = known.flatMap({ Self.metadata(of: bytes, as: $0) }) { return metadata }
        var trace: Int?
        guard let metadata = RecordMetadata(decoding: bytes, traceAt: &trace) else { return nil }
        known = trace.map { Known(bytes: bytes, trace: $0..<$0 + TraceMark.idBytes, metadata: metadata) }
        return metadata
    }

    /// The same metadata with another trace; nil where anything else differs.
    private static func metadata(of bytes: [UInt8], as known: Known) -> RecordMetadata? {
        guard bytes.count == known.bytes.count else { return nil }
        let (text, other) = (bytes.span.bytes, known.bytes.span.bytes)
        let (before, behind) = (0..<known.trace.lowerBound, known.trace.upperBound..<bytes.count)
        guard text.isSame(before, as: other, before), text.isSame(behind, as: other, behind) else { return nil }
        var metadata = known.metadata
        metadata.trace = known.metadata.trace?.with(idAt: known.trace.lowerBound, in: text)
        return metadata
    }
}

/// Writes the metadata of the records of one request, of which neighbours mostly differ in their traces alone.
struct MetadataWriter {
    private var known: (metadata: RecordMetadata, bytes: [UInt8], trace: Int)?

    /// The same as `RecordMetadata.encoded()`.
    mutating func write(_ metadata: RecordMetadata) -> [UInt8] {
        guard let mark = metadata.trace else { return metadata.encoded() }
        if let known, known.metadata.trace?.isLike(mark) == true, known.metadata.isLike(metadata) {
            var bytes = known.bytes
            mark.write(idTo: &bytes, at: known.trace)
            return bytes
        }
        var trace: Int?
        let bytes = metadata.encoded(traceAt: &trace)
        known = trace.map { (metadata, bytes, $0) }
        return bytes
    }
}

extension RecordMetadata {
    /// What decides how spans are processed, and what goes on with them.
    package var ofAnyTrace: RecordMetadata {
        var metadata = self
        (metadata.trace, metadata.removed) = (nil, [:])
        return metadata
    }

    /// Whether two records have the same, their traces aside.
    fileprivate func isLike(_ other: RecordMetadata) -> Bool {
        var (one, two) = (self, other)
        (one.trace, two.trace) = (nil, nil)
        return one == two
    }
}

import Basics
package import OTLP

extension SpanBatch {
    /// All groups that have a span left, whatever that costs.
    package func encodedByGroup() throws -> [(group: UInt16, spans: EncodedSpans)] {
        var account = RequestAccount(bytes: bytes.count, limits: CostLimits(heldPerByte: .max, writtenPerByte: .max))
        return try groups.map { (group: $0.number, spans: try encoded($0, charging: &account)) }
    }

    /// The parts that the spans are divided into by trace, each as one request.
    package func divided(itemsMax: Int, bytesMax: Int, dividesTraces: Bool = false) -> [EncodedSpans] {
        let division = SpanDivision(self)
        var repeats = SpanDivision.Repeats(for: bytes.count)
        let parts = division.parts(
            of: division.whole,
            itemsMax: itemsMax,
            bytesMax: bytesMax,
            dividesTraces: dividesTraces,
            repeats: &repeats
        )
        return parts.compactMap(division.encoded)
    }
}

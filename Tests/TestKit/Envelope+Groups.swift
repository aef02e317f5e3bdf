import Basics
package import OTLP

extension Envelope {
    /// All groups that have an item left, whatever that costs.
    package func encodedByGroup() throws -> [(group: UInt16, spans: EncodedUnits)] {
        var account = RequestAccount(bytes: bytes.count, limits: CostLimits(heldPerByte: .max, writtenPerByte: .max))
        return try groups.map { (group: $0.number, spans: try encoded($0, charging: &account)) }
    }

    /// The parts that the units are divided into by trace, each as one request.
    package func divided(itemsMax: Int, bytesMax: Int, dividesTraces: Bool = false) -> [EncodedUnits] {
        let division = EnvelopeDivision(self)
        var repeats = EnvelopeDivision.Repeats(for: bytes.count)
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

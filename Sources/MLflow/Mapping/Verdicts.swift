import Basics
import OTLP

/// What was decided about spans that have the same few short texts: their type, model and provider.
///
/// Most spans of an app name one of few operations and models. Where neither the keys nor the texts that decide differ from
/// those of an earlier span, the attributes that it got are copied, instead of being looked up and put together once more.
struct Verdicts: ~Copyable {
    struct Verdict {
        /// Index into `MappingRules.typeNames`; nil where no rule gives a type.
        let type: Int?
        /// Fields of a span, as a part of `letters`.
        let attributes: NumberList
    }

    /// Where texts that decide are looked for.
    struct Key {
        fileprivate let slot: Int
    }

    private struct Slot {
        /// Number of the plan; 0 in an empty slot.
        var plan = 0
        /// The `AnyValue` messages of the texts, one behind the other.
        var texts = NumberList(0..<0)
        var verdict = Verdict(type: nil, attributes: NumberList(0..<0))
    }

    /// A power of two.
    private static let slotsMax = 256
    private static let lettersMax = 16 * 1024

    private var slots = [Slot](repeating: Slot(), count: slotsMax)
    private(set) var letters: [UInt8] = []
    private(set) var credit = Credit(64)

    init() {}

    /// Where the verdict on a span stands that has that plan; nil where one of the values that decide is not one short text.
    @inline(__always)
    func key(_ plan: SpanPlan, _ first: Int, _ attributes: Table<AttributeEntry>, _ bytes: RawSpan) -> Key? {
        guard plan.decisive.count > 0 else { return nil }
        var hash = UInt64(truncatingIfNeeded: plan.number)
        for index in 0..<plan.decisive.count {
            let value = attributes[first &+ plan.decisive[index]].value
            // The key and the tags of the value stand before it, so that there always are eight bytes.
            guard bytes.shortText(value) != nil, value.upperBound >= 8 else { return nil }
            var letters = bytes.word(at: value.upperBound &- 8)
            if value.count >= 16 { letters ^= bytes.word(at: value.lowerBound) &* 0xD6E8_FEB8_6659_FD93 }
            hash = (hash ^ letters) &* 0x9E37_79B9_7F4A_7C15
            hash ^= hash >> 32 &+ UInt64(truncatingIfNeeded: value.count)
        }
        return Key(slot: Int(truncatingIfNeeded: hash) & (Self.slotsMax &- 1))
    }

    /// The verdict on spans of that plan with the same texts.
    @inline(__always)
    mutating func find(
        _ key: Key,
        _ plan: SpanPlan,
        _ first: Int,
        _ attributes: Table<AttributeEntry>,
        _ bytes: RawSpan
    ) -> Verdict? {
        var slot = key.slot
        if !isAbout(slot, plan, first, attributes, bytes) {
            slot ^= 1
            guard isAbout(slot, plan, first, attributes, bytes) else {
                credit.didMiss()
                return nil
            }
        }
        credit.didFind()
        return slots[slot].verdict
    }

    /// Whether the verdict in a slot is on spans of that plan with the same texts.
    private func isAbout(
        _ slot: Int,
        _ plan: SpanPlan,
        _ first: Int,
        _ attributes: Table<AttributeEntry>,
        _ bytes: RawSpan
    ) -> Bool {
        slots[slot].plan == plan.number && has(slots[slot].texts.range, plan, first, attributes, bytes)
    }

    /// Whether the values that decide are those in `texts`.
    ///
    /// Each says how long it is, so that no border between two can be elsewhere.
    @inline(__always)
    private func has(
        _ texts: Range<Int>,
        _ plan: SpanPlan,
        _ first: Int,
        _ attributes: Table<AttributeEntry>,
        _ bytes: RawSpan
    ) -> Bool {
        let known = letters.span.bytes
        var start = texts.lowerBound
        for index in 0..<plan.decisive.count {
            let value = attributes[first &+ plan.decisive[index]].value
            let end = start &+ value.count
            guard end <= texts.upperBound, bytes.isSame(value, as: known, Range(uncheckedBounds: (start, end))) else {
                return false
            }
            start = end
        }
        return true
    }

    /// Keeps what was decided, in the place of whatever stood there; each verdict may stand in one of two.
    mutating func keep(
        _ key: Key,
        _ plan: SpanPlan,
        _ first: Int,
        _ attributes: Table<AttributeEntry>,
        _ bytes: RawSpan,
        type: Int?,
        written: RawSpan
    ) {
        credit.didKeep()
        if letters.count > Self.lettersMax {
            slots = [Slot](repeating: Slot(), count: Self.slotsMax)
            letters.removeAll(keepingCapacity: true)
        }
        let start = letters.count
        for position in plan.decisive { letters.append(bytes, attributes[first + position].value) }
        let end = letters.count
        letters.append(written, 0..<written.byteCount)
        let slot = slots[key.slot].plan == 0 ? key.slot : key.slot ^ 1
        slots[slot] = Slot(
            plan: plan.number,
            texts: NumberList(start..<end),
            verdict: Verdict(type: type, attributes: NumberList(end..<letters.count))
        )
    }
}

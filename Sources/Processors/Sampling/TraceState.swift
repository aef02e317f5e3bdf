/// The value of `tracestate` (W3C Trace Context, section 3.3), with OpenTelemetry's own member taken apart.
///
/// Members of others are kept as they are.
struct TraceState: Equatable {
    /// Members of a list, at most.
    static let membersMax = 32
    /// Characters of one member's value, at most.
    static let valueMax = 256
    /// Bytes of a whole list, at most: with keys of 256 characters, equals signs and commas.
    static let lengthMax = membersMax * (valueMax + 256 + 2)

    /// `ot=th:`: the threshold below which spans were dropped, in 2⁵⁶ths; nil where none is known.
    var threshold: UInt64?
    /// `ot=rv:`: randomness that counts instead of the trace id's.
    private(set) var randomness: UInt64?
    /// Whether `th` or `rv` is there and is none.
    let isMalformed: Bool
    /// `rv` as it came, which is passed on whatever it is.
    private var randomnessField: Substring?
    /// The other parts of OpenTelemetry's member.
    private let rest: [Substring]
    private let others: [Substring]

    init(_ text: String) {
        var threshold: Substring?
        var randomness: Substring?
        var rest: [Substring] = []
        var others: [Substring] = []
        for part in text.split(separator: ",") {
            let member = part.trimmed
            guard member.hasPrefix("ot=") else {
                if !member.isEmpty { others.append(member) }
                continue
            }
            for field in member.dropFirst(3).split(separator: ";") {
                if field.hasPrefix("th:") {
                    threshold = field
                } else if field.hasPrefix("rv:") {
                    randomness = field
                } else {
                    rest.append(field)
                }
            }
        }
        self.threshold = threshold.flatMap { Self.threshold($0.dropFirst(3)) }
        self.randomness = randomness.flatMap { Self.randomness($0.dropFirst(3)) }
        isMalformed =
            threshold != nil && self.threshold == nil || randomness != nil && self.randomness == nil
        randomnessField = randomness
        self.rest = rest
        self.others = others
    }

    /// Gives it randomness of its own, where it has none.
    mutating func giveRandomness(_ value: UInt64) {
        guard randomnessField == nil else { return }
        let digits = String(value, radix: 16)
        randomness = value
        randomnessField = Substring("rv:" + String(repeating: "0", count: max(0, 14 - digits.count)) + digits)
    }

    /// The list, OpenTelemetry's member first because it was changed; without the threshold where that finds no room.
    var text: String {
        var fields = rest
        if let threshold { fields.insert("th:" + Self.digits(threshold), at: 0) }
        if let randomnessField { fields.insert(randomnessField, at: 0) }
        let value = fields.joined(separator: ";")
        if value.utf8.count > Self.valueMax, threshold != nil {
            var unknown = self
            unknown.threshold = nil
            return unknown.text
        }
        let own = value.isEmpty ? [] : ["ot=" + value]
        return (own + others.prefix(Self.membersMax - own.count).map(String.init)).joined(separator: ",")
    }

    /// Up to 14 hexadecimal digits, the highest first; what is missing on the right is zero.
    private static func threshold(_ text: Substring) -> UInt64? {
        guard (1...14).contains(text.count), let value = hexadecimal(text) else { return nil }
        return value << UInt64(4 * (14 - text.count))
    }

    private static func randomness(_ text: Substring) -> UInt64? { text.count == 14 ? hexadecimal(text) : nil }

    private static func hexadecimal(_ text: Substring) -> UInt64? {
        text.utf8.allSatisfy { $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") } ? UInt64(text, radix: 16) : nil
    }

    private static func digits(_ threshold: UInt64) -> Substring {
        guard threshold > 0 else { return "0" }
        let digits = String(threshold, radix: 16)
        let padded = String(repeating: "0", count: 14 - digits.count) + digits
        return padded.prefix(through: padded.lastIndex { $0 != "0" } ?? padded.startIndex)
    }
}

extension Substring {
    fileprivate var trimmed: Substring {
        let start = drop { $0 == " " || $0 == "\t" }
        guard let end = start.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return start.prefix(0) }
        return start[...end]
    }
}

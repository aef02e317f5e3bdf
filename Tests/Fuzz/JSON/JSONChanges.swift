import Oracle

@testable import OTLP

/// Changes a JSON text value by value, knowing the names and forms of OTLP.
struct JSONChanges {
    /// A value, and the member that it belongs to where it does.
    private struct Place {
        var value: Range<Int>
        /// From the name's quote to the end of the value.
        var member: Range<Int>?
    }

    var random: SeededGenerator
    private let text: [UInt8]
    private let other: [UInt8]
    private let max: Int

    init(_ text: [UInt8], other: [UInt8], _ random: SeededGenerator, max: Int) {
        self.text = text
        self.other = other
        self.random = random
        self.max = max
    }

    mutating func changed() -> [UInt8] {
        let places = Self.places(text)
        guard !places.isEmpty else { return request() }
        let place = places[random.below(places.count)]
        var output = text
        switch random.below(11) {
        case 0, 1: output.replaceSubrange(place.value, with: literal())
        case 2: output.replaceSubrange(place.value, with: donated(places))
        case 3: output.removeSubrange(place.member ?? place.value)
        case 4: repeatPlace(place, in: &output)
        case 5, 6: output.insert(contentsOf: member(), at: afterBrace(place))
        case 7: nest(place, in: &output)
        case 8: rename(place, in: &output)
        case 9: escape(place, in: &output)
        default: output.replaceSubrange(place.value, with: JSONTarget.mutateBytes(Array(text[place.value]), max: 64))
        }
        return output
    }

    // MARK: Changes

    private mutating func repeatPlace(_ place: Place, in output: inout [UInt8]) {
        let part = Array(output[place.member ?? place.value]) + [UInt8(ascii: ",")]
        let count = Swift.min([1, 2, 30, 3000][random.below(4)], Swift.max(max / 2 / part.count, 1))
        let parts = (0..<count).flatMap { _ in part }
        output.insert(contentsOf: parts, at: (place.member ?? place.value).lowerBound)
    }

    private mutating func nest(_ place: Place, in output: inout [UInt8]) {
        let count = [1, 2, 30, 64, 254, 2000][random.below(6)]
        let pairs = [("[", "]"), ("{\"arrayValue\":{\"values\":[", "]}}"), ("{\"a\":", "}")]
        let pair = pairs[random.below(pairs.count)]
        let open = (0..<count).flatMap { _ in Array(pair.0.utf8) }
        let close = (0..<count).flatMap { _ in Array(pair.1.utf8) }
        output.replaceSubrange(place.value, with: open + Array(output[place.value]) + close)
    }

    private mutating func rename(_ place: Place, in output: inout [UInt8]) {
        guard let start = place.member?.lowerBound else { return }
        guard let end = output[(start + 1)...].firstIndex(of: UInt8(ascii: "\"")) else { return }
        output.replaceSubrange(start...end, with: Array("\"\(name())\"".utf8))
    }

    /// Writes letters of a text as escapes.
    private mutating func escape(_ place: Place, in output: inout [UInt8]) {
        let letters = place.value.filter { text[$0] >= 0x20 && text[$0] < 0x7F && text[$0] != 0x22 && text[$0] != 0x5C }
        guard let letter = letters.randomElement(using: &random) else { return }
        let escapes = [
            "\\u0041", "\\u00e9", "\\ud83d\\ude00", "\\ud83d", "\\ude00", "\\n", "\\/", "\\u0000", "\\x", "\u{7F}",
        ]
        output.replaceSubrange(letter...letter, with: Array(escapes[random.below(escapes.count)].utf8))
    }

    private func afterBrace(_ place: Place) -> Int {
        let start = text[...place.value.lowerBound].lastIndex(of: UInt8(ascii: "{"))
        return start.map { $0 + 1 } ?? text.count
    }

    // MARK: Parts

    private mutating func donated(_ places: [Place]) -> [UInt8] {
        let theirs = other.isEmpty ? [] : Self.places(other)
        guard let place = theirs.randomElement(using: &random) else {
            return places.randomElement(using: &random).map { Array(text[$0.value]) } ?? []
        }
        return Array(other[place.value])
    }

    private mutating func name() -> String {
        let fields = MessageSchema.all.flatMap(\.fields)
        let name = "\(fields[random.below(fields.count)].name)"
        guard random.chance(20) else { return name }
        return name.reduce(into: "") { $0 += $1.isUppercase ? "_" + $1.lowercased() : String($1) }
    }

    private mutating func member() -> [UInt8] {
        let value = random.chance(50) ? literal() : Array("[{\"key\":\"a\",\"value\":{\"intValue\":\"1\"}}]".utf8)
        return Array("\"\(name())\":".utf8) + value + (random.chance(90) ? [UInt8(ascii: ",")] : [])
    }

    private mutating func literal() -> [UInt8] {
        let literals = [
            "null", "true", "false", "0", "-0", "1", "-1", "1.0", "1e2", "1e400", "-9223372036854775808", "2147483648",
            "18446744073709551615", "18446744073709551616", "4294967296", "0.1", "\"\"", "\"a\"", "\"NaN\"",
            "\"Infinity\"", "\"-Infinity\"", "\"5B8EFFF798038103D269B633813FC60C\"", "\"EEE19B7EC3C1B174\"",
            "\"AQIDBA==\"",
            "\"AQID-_8\"", "\"SPAN_KIND_SERVER\"", "\"STATUS_CODE_ERROR\"", "\"12345678901234567890\"",
            "\"\\ud83d\\ude00\"",
            "{}", "[]", "[null]", "[{}]", "[[]]", "{\"stringValue\":\"x\"}", "{\"boolValue\":true}",
            "{\"doubleValue\":\"NaN\"}", "{\"intValue\":5,\"stringValue\":\"\"}", "{\"bytesValue\":\"AA==\"}",
            "{\"a\":{}}",
        ]
        return Array(literals[random.below(literals.count)].utf8)
    }

    /// A whole request of the grammar.
    private mutating func request() -> [UInt8] {
        var source = RandomRequests(seed: random.next())
        return demand("generating") { try OTLPJSON.encode(try source.request().wire, signal: .traces) }
    }

    // MARK: Reading

    /// The values of a text, as far as it can be read at all.
    private static func places(_ text: [UInt8]) -> [Place] {
        var places: [Place] = []
        var open: [(start: Int, member: Int?)] = []
        var name: Int?
        var offset = 0
        while offset < text.count {
            switch text[offset] {
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                open.append((offset, name))
                name = nil
                offset += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                offset += 1
                if let (start, member) = open.popLast() {
                    places.append(Place(value: start..<offset, member: member.map { $0..<offset }))
                }
                name = nil
            case UInt8(ascii: ","), UInt8(ascii: ":"), 0x20, 0x09, 0x0A, 0x0D: offset += 1
            default:
                let start = offset
                offset = end(of: text, from: start)
                let isName = offset < text.count && text[offset] == UInt8(ascii: ":")
                if isName {
                    name = start
                } else {
                    places.append(Place(value: start..<offset, member: name.map { $0..<offset }))
                    name = nil
                }
            }
        }
        return places
    }

    /// Where a text, number or word ends.
    private static func end(of text: [UInt8], from start: Int) -> Int {
        var offset = start + 1
        if text[start] == UInt8(ascii: "\"") {
            while offset < text.count, text[offset] != UInt8(ascii: "\"") {
                offset += text[offset] == UInt8(ascii: "\\") ? 2 : 1
            }
            return min(offset + 1, text.count)
        }
        let stops = Set("{}[],:\" \t\r\n".utf8)
        while offset < text.count, !stops.contains(text[offset]) { offset += 1 }
        return offset
    }
}

import Basics

/// Numbers of JSON texts as protobuf understands them.
enum JSONNumber {
    /// A whole number, also where it is written with a fraction of zero or an exponent; nil where it is none or too large.
    static func signed(_ text: RawSpan, _ range: Range<Int>) -> Int64? {
        if let (isNegative, magnitude) = digits(text, range) {
            return isNegative ? Int64(exactly: 0 - Int128(magnitude)) : Int64(exactly: magnitude)
        }
        return number(text, range).flatMap { Int64(exactly: $0) }
    }

    /// The same for numbers that are never negative.
    static func unsigned(_ text: RawSpan, _ range: Range<Int>) -> UInt64? {
        if let (isNegative, magnitude) = digits(text, range) { return isNegative && magnitude != 0 ? nil : magnitude }
        return number(text, range).flatMap { UInt64(exactly: $0) }
    }

    /// A number that is no integer of 64 bits, as some clients write what they have as a double; nil for anything else.
    static func wide(_ text: RawSpan, _ range: Range<Int>) -> Double? {
        number(text, range).flatMap { $0.isFinite ? $0 : nil }
    }

    /// Any number, or NaN and the infinities by their names in proto3 JSON.
    static func double(_ text: RawSpan, _ range: Range<Int>) -> Double? {
        if let number = number(text, range) { return number }
        if text.equals("NaN", range) { return .nan }
        if text.equals("Infinity", range) { return .infinity }
        return text.equals("-Infinity", range) ? -.infinity : nil
    }

    /// Digits only, with a sign or without; nil for anything else or over 64 bits.
    private static func digits(_ text: RawSpan, _ range: Range<Int>) -> (isNegative: Bool, magnitude: UInt64)? {
        guard !range.isEmpty else { return nil }
        let isNegative = text.byte(at: range.lowerBound) == UInt8(ascii: "-")
        let start = range.lowerBound + (isNegative ? 1 : 0)
        guard start < range.upperBound, range.upperBound - start <= 20 else { return nil }
        var value: UInt64 = 0
        for offset in start..<range.upperBound {
            let byte = text.byte(at: offset)
            guard byte.isDigit else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
            guard !overflow, !carry else { return nil }
            value = sum
        }
        return (isNegative, value)
    }

    /// A number in the form of JSON; nil for what `Double` reads beyond that, such as names and hexadecimal.
    private static func number(_ text: RawSpan, _ range: Range<Int>) -> Double? {
        guard range.count <= 400 else { return nil }
        for offset in range {
            switch text.byte(at: offset) {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."),
                UInt8(ascii: "e"), UInt8(ascii: "E"):
                continue
            default: return nil
            }
        }
        return Double(text.text(range))
    }
}

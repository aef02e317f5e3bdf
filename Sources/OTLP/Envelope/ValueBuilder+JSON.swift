import Basics

extension ValueBuilder {
    /// A JSON text as a structured value: objects as key-value lists, whole numbers that fit as integers.
    ///
    /// - Returns: Whether `range` of `text` is valid JSON, nested at most as deep as a receiver allows; otherwise nothing
    ///   is written.
    package mutating func json(_ text: RawSpan, _ range: Range<Int>) -> Bool {
        let start = checkpoint
        do throws(JSONSyntaxError) {
            if try write(text.extracting(range)) { return true }
        } catch {
            // Told by the result.
        }
        restore(start)
        return false
    }

    /// Writes the value; false where it is nested too deep.
    private mutating func write(_ text: RawSpan) throws(JSONSyntaxError) -> Bool {
        var scanner = JSONScanner()
        var containers: [Container] = []
        while true {
            let token = try scanner.next(in: text)
            guard scanner.depth < WireLimits.standard.nestingMax else { return false }
            switch token {
            case .objectStart: containers.append(beginKeyValueList())
            case .objectEnd, .arrayEnd: containers.popLast().map { end($0) }
            case .arrayStart: containers.append(beginArray())
            case .key(let name) where name.isPlain: key(text, name.range)
            case .key(let name): key(name.value(in: text))
            case .string(let value) where value.isPlain: string(text, value.range)
            case .string(let value): string(value.value(in: text))
            case .number(let digits): number(text, digits)
            case .bool(let value): bool(value)
            case .null: null()
            case .end: return true
            }
        }
    }

    private mutating func number(_ text: RawSpan, _ range: Range<Int>) {
        let digits = text.text(range)
        if let whole = Int64(digits) { int(whole) } else { double(Double(digits) ?? 0) }
    }
}

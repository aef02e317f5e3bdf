import Basics

// Fields of log records and metrics that the index does not keep, read when somebody asks.
// Each adds a step of work for every field of the unit.

extension Envelope {
    /// The severity of a log record, 1 to 24: its number, else the level that its text names; nil where neither says one.
    package func severity(of record: Int, _ steps: inout Int) -> Int? {
        var number: UInt64 = 0
        var name = 0..<0
        forEachField(of: record, &steps) { field in
            if field.number == 2, field.form == .varint { number = field.value }
            if field.number == 3, field.form == .lengthDelimited { name = field.content }
        }
        if (1...24).contains(number) { return Int(number) }
        return Self.levels.first { bytes.span.bytes.hasPrefix($0.name, name) }?.number
    }

    /// What loggers call the levels of OpenTelemetry's logs data model, in lower case as they begin; the lowest number of each.
    private static let levels: [(name: StaticString, number: Int)] = [
        ("trace", 1), ("debug", 5), ("info", 9), ("notice", 10), ("warn", 13), ("err", 17), ("crit", 21), ("fatal", 21),
        ("emerg", 21),
    ]

    /// The body of a log record; nil where it has none.
    package func logBody(of record: Int, _ steps: inout Int) -> AttributeValue? {
        var body: Range<Int>?
        forEachField(of: record, &steps) { field in
            if field.number == 5, field.form == .lengthDelimited { body = field.content }
        }
        return body.map { AttributeValue($0, in: bytes.span.bytes) }
    }

    /// The bytes of a metric's name.
    package func metricName(of metric: Int, _ steps: inout Int) -> Range<Int> {
        var name = 0..<0
        forEachField(of: metric, &steps) { field in
            if field.number == 1, field.form == .lengthDelimited { name = field.content }
        }
        return name
    }

    private func forEachField(of unit: Int, _ steps: inout Int, _ body: (WireField) -> Void) {
        var reader = WireReader(self.unit(unit).frame.content)
        while let field = try? reader.next(in: bytes.span.bytes) {
            steps += 1
            body(field)
        }
    }
}

extension RawSpan {
    /// Whether the text of `range` begins with a word in lower case, whatever its own case.
    fileprivate func hasPrefix(_ word: StaticString, _ range: Range<Int>) -> Bool {
        guard range.count >= word.utf8CodeUnitCount else { return false }
        return word.withUTF8Buffer { letters in
            letters.indices.allSatisfy { byte(at: range.lowerBound + $0) | 0x20 == letters[$0] }
        }
    }
}

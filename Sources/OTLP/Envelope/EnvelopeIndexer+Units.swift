import Basics

// Log records and metrics are read by the tables of `MessageSchema`; only spans have code of their own.

extension EnvelopeIndexer {
    /// Indexes one log record, or one metric whose data points are counted.
    ///
    /// A log record without a trace id, or with one of zeros, belongs to no trace. Fields that OTLP reserves are kept as
    /// unknown ones.
    mutating func unit(_ frame: Frame, _ scope: Int, _ signal: Signal, _ text: RawSpan) throws(WireError) {
        var entry = try newUnit(frame, scope, in: UnitEntry.self)
        let owner = Place.span(units.count).packed
        let firstAttribute = attributes.count
        let (type, tables, tags) = (MessageType(unitOf: signal), SchemaTables.all, signal.unitTags)
        var dataPoints = DataPointCount()
        if units.isEmpty { endTwins() } else { expectTwins(of: units[units.count &- 1]) }
        var cursor = WireCursor(frame.content)
        while !cursor.isAtEnd {
            let start = cursor.offset
            let tag = try cursor.tag(in: text)
            if tag == tags.attributes {
                try attributes(UInt8(truncatingIfNeeded: tag), from: start, &cursor, owner, text)
                continue
            }
            var field = cursor
            try check(tag, of: type, tables, &cursor, text)
            if tag == tags.traceID {
                _ = try traceID(&field, &entry.traceID, text)
            } else if tag == tags.spanID {
                _ = try spanID(&field, &entry.spanID, text)
            } else if signal == .metrics {
                try dataPoints.add(tag, &field, text)
            }
        }
        endTwins()
        entry.attributeRange = ShortRange(firstAttribute, attributes.count)
        if signal == .metrics { entry.itemCount = dataPoints.count }
        entry.flaw = takeFlaw()
        units.append(entry)
    }

    /// Indexes one unit of any signal without a look at anything but its ids and its data points.
    mutating func unitFrame(_ frame: Frame, _ scope: Int, _ signal: Signal, _ text: RawSpan) throws(WireError) {
        var entry = try newUnit(frame, scope, in: UnitEntry.self)
        let tags = signal.unitTags
        var dataPoints = DataPointCount()
        var cursor = WireCursor(frame.content)
        while !cursor.isAtEnd {
            let tag = try cursor.tag(in: text)
            var field = cursor
            try cursor.skip(tag, in: text)
            if tag == tags.traceID {
                _ = try traceID(&field, &entry.traceID, text)
            } else if tag == tags.spanID {
                _ = try spanID(&field, &entry.spanID, text)
            } else if signal == .metrics {
                try dataPoints.add(tag, &field, text)
            }
        }
        if signal == .metrics { entry.itemCount = dataPoints.count }
        units.append(entry)
    }

    /// Validates the field of a message whose tag was read; unknown ones are skipped.
    private mutating func check(
        _ tag: UInt32,
        of type: MessageType,
        _ tables: SchemaTables,
        _ cursor: inout WireCursor,
        _ text: RawSpan
    ) throws(WireError) {
        guard let index = tables.field(Int(tag >> 3), of: type) else { return try cursor.skip(tag, in: text) }
        let field = tables.fields[index]
        guard tag & 7 == field.kind.wireType else {
            guard field.isPackable, tag & 7 == WireType.lengthDelimited else {
                try cursor.skip(tag, in: text)
                return note(.wireType)
            }
            var numbers = WireCursor(try cursor.content(in: text))
            while !numbers.isAtEnd { _ = try numbers.number(field.kind.wireType, in: text) }
            return
        }
        switch field.kind {
        case .string: _ = try string(&cursor, text)
        case .message(.anyValue): try anyValue(try cursor.content(in: text), 1, text)
        case .message(.keyValue): try member(try cursor.content(in: text), 1, text)
        case .message(let type):
            var inner = WireCursor(try cursor.content(in: text))
            while !inner.isAtEnd { try check(try inner.tag(in: text), of: type, tables, &inner, text) }
        case .id(let count):
            let content = try cursor.content(in: text)
            if !content.isEmpty, content.count != count {
                note(count == TraceID.byteCount ? .optionalTraceIDLength : .optionalSpanIDLength)
            }
        default: try cursor.skip(tag, in: text)
        }
    }
}

/// Counts the data points of a metric: of several kinds of data the last one counts, all parts of it together.
///
/// A metric without data points, or with data of a kind that only a later version of OTLP knows, counts as one, so that it is kept.
private struct DataPointCount {
    private var found: Int32 = 0
    private var kind: UInt32 = 0

    var count: Int32 { max(1, found) }

    /// Counts those in a field of a metric whose tag was read; other fields have none.
    mutating func add(_ tag: UInt32, _ field: inout WireCursor, _ text: RawSpan) throws(WireError) {
        switch tag {
        // Gauge, sum, histogram, exponential histogram, summary.
        case 0x2A, 0x3A, 0x4A, 0x52, 0x5A: break
        default: return
        }
        if tag != kind { (kind, found) = (tag, 0) }
        var data = WireCursor(try field.content(in: text))
        while !data.isAtEnd {
            let tag = try data.tag(in: text)
            // `data_points` of each of them.
            if tag == 0x0A { found &+= 1 }
            try data.skip(tag, in: text)
        }
    }
}

import Basics

// Data points stand in no table: most pipelines look at none of them. They are read where one is changed.

/// One `KeyValue` of a data point, as ranges of the body.
package struct PointAttribute: Sendable {
    /// From the tag of the `KeyValue` to its end.
    package let field: Range<Int>
    /// The bytes of the key.
    package let key: Range<Int>
    /// The `AnyValue` message; empty where there is none.
    package let value: Range<Int>
}

/// One data point of a metric, of any kind.
package struct DataPoint: Sendable {
    /// In the order of the wire.
    package let attributes: [PointAttribute]
    let frame: Frame
    /// The tag of `attributes`, which has another number in each kind of data point.
    let tag: UInt8
}

/// What becomes of the attributes of one data point; the rest of it stays byte for byte as it came.
package struct DataPointEdit: Sendable {
    /// One attribute that is added.
    package struct Addition: Sendable {
        package let key: String
        package let build: @Sendable (inout ValueBuilder) -> Void

        /// `build` writes the value.
        package init(_ key: String, _ build: @escaping @Sendable (inout ValueBuilder) -> Void) {
            self.key = key
            self.build = build
        }
    }

    /// Positions in `DataPoint.attributes`.
    package var removed: [Int] = []
    /// Positions in `DataPoint.attributes`, with the new key of each.
    package var renamed: [(attribute: Int, key: String)] = []
    /// They stand before the attributes that were there.
    package var added: [Addition] = []

    package init() {}

    fileprivate var isEmpty: Bool { removed.isEmpty && renamed.isEmpty && added.isEmpty }
}

extension Envelope {
    /// Shows each data point of a metric, whatever its kind, and makes the edit that is returned.
    ///
    /// To be called once for a metric. Of data of several kinds in one metric all are shown. `edit` gets the bytes that were
    /// added to the batch so far.
    ///
    /// - Returns: Steps of work: one for each field looked at.
    package mutating func editDataPoints(of metric: Int, _ edit: (DataPoint, _ added: Int) -> DataPointEdit) -> Int {
        let body = bytes
        let text = body.span.bytes
        var steps = 0
        var fields = WireReader(unit(metric).frame.content)
        while let data = try? fields.next(in: text) {
            steps += 1
            guard data.form == .lengthDelimited, let tag = DataPoint.attributesTag(in: data.number) else { continue }
            var growth = 0
            var points = WireReader(data.content)
            while let field = try? points.next(in: text) {
                steps += 1
                guard field.number == 1, field.form == .lengthDelimited else { continue }
                let frame = Frame(start: field.field.lowerBound, body: field.content)
                let point = DataPoint(frame, attributes: tag, in: text, &steps)
                let change = edit(point, addedBytes)
                if !change.isEmpty { growth += make(change, in: point, of: metric) }
            }
            guard growth != 0 else { continue }
            prepare()
            append(ShortRange(data.field.lowerBound..<data.content.lowerBound), to: .span(metric))
            let header = UInt8(truncatingIfNeeded: data.number << 3 | 2)
            marks.builder.bytes.write(atMost: 16) { $0.field(header, length: data.content.count + growth) }
        }
        return steps
    }

    /// Makes an edit; returns how many bytes the field of the data point grows by.
    private mutating func make(_ edit: DataPointEdit, in point: DataPoint, of metric: Int) -> Int {
        prepare()
        let body = bytes
        let frame = point.frame
        var start = marks.builder.count
        var size = frame.content.count
        for index in edit.removed {
            append(ShortRange(point.attributes[index].field), to: .span(metric))
            size -= point.attributes[index].field.count
        }
        for (index, key) in edit.renamed {
            let field = point.attributes[index].field
            append(ShortRange(field), to: .span(metric))
            marks.builder.renamed(key, field, as: point.tag, in: body.span.bytes)
            size -= field.count
        }
        // The length is known last and stands first: the new attributes take the place of the tag and length but for one byte.
        append(ShortRange(frame.field.lowerBound + 1, frame.content.lowerBound), to: .span(metric))
        for addition in edit.added { marks.builder.attribute(addition.key, as: point.tag, addition.build) }
        size += marks.builder.count - start
        append(ShortRange(frame.field.lowerBound, frame.field.lowerBound + 1), to: .span(metric))
        start = marks.builder.count
        marks.builder.bytes.write(atMost: 16) { $0.field(0x0A, length: size) }
        return size + marks.builder.count - start - frame.field.count
    }
}

extension DataPoint {
    /// The tag of `attributes` in data points of the kind that stands in that field of a metric; nil for another field.
    fileprivate static func attributesTag(in field: Int) -> UInt8? {
        switch field {
        // Gauge, sum: NumberDataPoint; summary: SummaryDataPoint.
        case 5, 7, 11: 0x3A
        // Histogram.
        case 9: 0x4A
        // Exponential histogram.
        case 10: 0x0A
        default: nil
        }
    }

    /// Reads what a data point has; `steps` counts the fields looked at.
    fileprivate init(_ frame: Frame, attributes tag: UInt8, in text: RawSpan, _ steps: inout Int) {
        var attributes: [PointAttribute] = []
        var fields = WireReader(frame.content)
        while let field = try? fields.next(in: text) {
            steps += 1
            guard field.number == Int(tag >> 3), field.form == .lengthDelimited else { continue }
            let none = field.content.lowerBound..<field.content.lowerBound
            var (key, value) = (none, none)
            var members = WireReader(field.content)
            while let member = try? members.next(in: text) {
                if member.number == 1 { key = member.content }
                if member.number == 2 { value = member.content }
            }
            attributes.append(PointAttribute(field: field.field, key: key, value: value))
        }
        self.init(attributes: attributes, frame: frame, tag: tag)
    }
}

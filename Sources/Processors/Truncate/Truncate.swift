import Basics
package import OTLP
package import Pipeline
package import Settings

/// The settings of `truncate`.
package struct TruncateSettings: Sendable {
    /// Bytes of one text.
    var valueMax = ByteCount.kibibytes(64)
    /// Attributes of a span or log record; nil for any number.
    var attributesMax: Int?
    /// Events of a span; nil for any number.
    var eventsMax: Int?

    package init() {}
}

extension TruncateSettings: ProcessorSettings {
    package var signals: Set<Signal> { Set(Signal.allCases) }
    package var conditions: [String] { [] }
    package var turn: ProcessorTurn { .truncation }

    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Bounds what is huge, before another processor than `redact` reads it, wherever it stands. A text that is a JSON object, array or string, up to 255 levels deep, stays one: its long texts are cut first, those that are JSON themselves as such, three texts deep; then elements are left out of the middle of lists, and members whose names or numbers do not fit. Where there is room, `\"… [27 elements cut]\"` and `\"…\": \"2 members cut\"` say how many.",
        TruncateSettings(),
        [
            Field(
                "max_value",
                \.valueMax,
                .size(ByteCount(bytes: 256)...),
                "How long one text may be, in whatever attribute, body, event or name, those in lists one by one; what is cut says by how much."
            ),
            Field(
                "max_attributes",
                optional: \.attributesMax,
                .integer(1...1_000_000),
                "How many attributes a span or log record may have: the first ones; the others are added to its `dropped_attributes_count`."
            ),
            Field(
                "max_events",
                optional: \.eventsMax,
                .integer(1...1_000_000),
                "How many events a span may have: exceptions, then the first ones; the others are added to its `dropped_events_count`."
            ),
        ]
    )

    package func makeProcessor(named name: String) -> (any SpanProcessor)? { Truncate(name: name, settings: self) }
}

/// Cuts long texts, and takes attributes and events out where there are too many.
///
/// A request with something to cut is written and indexed anew; another one stays as it is, byte for byte.
package struct Truncate: NotingProcessor {
    private let name: String
    private let settings: TruncateSettings

    /// - Parameters:
    ///   - name: The processor's key in the pipeline file, under which it counts.
    ///   - settings: What it is to do.
    init(name: String, settings: TruncateSettings) {
        (self.name, self.settings) = (name, settings)
    }

    package func run(_ work: inout SpanWork, _ notes: inout [SpanNote]?) {
        cutTexts(&work, &notes)
        guard work.refusal == nil else { return }
        for unit in 0..<work.batch.unitCount where work.batch.removal(of: unit) == nil {
            if let max = settings.attributesMax, work.batch.signal != .metrics {
                limitAttributes(of: unit, max, &work, &notes)
            }
            if let max = settings.eventsMax, work.batch.signal == .traces { limitEvents(of: unit, max, &work, &notes) }
        }
    }

    private func cutTexts(_ work: inout SpanWork, _ notes: inout [SpanNote]?) {
        var cuts = TextCuts(textMax: settings.valueMax.bytes, stepsMax: work.account.stepsLeft)
        do throws(WireError) { try cuts.run(work.batch) } catch { return work.refuse(error) }
        work.account.add(steps: cuts.steps)
        if cuts.isOver { return work.refuse(.steps(limit: work.account.stepsMax)) }
        work.rewrite(cuts.edits)
        for cut in cuts.cuts {
            work.tally.add(1, .truncated(place: cut.place), by: name)
            let target = cut.key.isEmpty ? cut.place.rawValue : "\(cut.place.rawValue) \(cut.key)"
            let units = cut.unit >= 0 ? cut.unit..<cut.unit + 1 : 0..<work.batch.unitCount
            note("\(cut.bytes) bytes", target, units, &notes)
        }
    }

    private func limitAttributes(of unit: Int, _ max: Int, _ work: inout SpanWork, _ notes: inout [SpanNote]?) {
        let attributes = work.batch.unit(unit).attributes
        guard attributes.count > max else { return }
        let dropped = attributes.dropFirst(max)
        for attribute in dropped { work.batch.removeAttribute(attribute) }
        work.batch.addDropped(attributes: dropped.count, to: unit)
        work.account.add(steps: dropped.count)
        work.tally.add(dropped.count, .truncated(place: .attribute), by: name)
        note("\(dropped.count) attributes", "attributes", unit..<unit + 1, &notes)
    }

    private func limitEvents(of span: Int, _ max: Int, _ work: inout SpanWork, _ notes: inout [SpanNote]?) {
        let events = work.batch.spans[span].events
        guard events.count > max else { return }
        let exceptions = Set(events.filter { work.batch.equals("exception", work.batch.events[$0].name) }.prefix(max))
        let others = events.filter { !exceptions.contains($0) }.prefix(max - exceptions.count)
        let kept = exceptions.union(others)
        for event in events where !kept.contains(event) { work.batch.removeEvent(event) }
        let count = events.count - kept.count
        work.batch.addDropped(events: count, to: span)
        work.account.add(steps: events.count)
        work.tally.add(count, .truncated(place: .event), by: name)
        note("\(count) events", "events", span..<span + 1, &notes)
    }

    private func note(_ rule: String, _ target: String, _ units: Range<Int>, _ notes: inout [SpanNote]?) {
        notes? += units.map { unit in
            SpanNote(unit, .changed(AttributeDecision(span: unit, action: .truncated, target: target, rule: rule)))
        }
    }
}

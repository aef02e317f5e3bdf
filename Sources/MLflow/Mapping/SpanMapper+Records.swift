import Basics
import OTLP

// Some frameworks write what a call used once more on a span beside it, and what a task used on a span behind it.

extension SpanMapper {
    /// Below which span a record stands, and of which scope it is.
    private struct RecordPlace: Hashable {
        let trace: TraceID
        let parent: SpanID
        /// The first scope of that name.
        let scope: Int
    }

    /// A call that ended, or a record that was written.
    private struct UsageEvent {
        let time: UInt64
        let isRecord: Bool
        let span: Int
        let spent: SpentTokens

        /// What ends when a record begins is told of by it.
        static func isBefore(_ left: UsageEvent, _ right: UsageEvent) -> Bool {
            (left.time, left.isRecord ? 1 : 0, left.span) < (right.time, right.isRecord ? 1 : 0, right.span)
        }
    }

    /// Withdraws the usage of spans that say nothing else and repeat what calls of models used before them.
    ///
    /// A record repeats a call beside it, all calls below a span beside it, or all calls below its parent; what nothing
    /// matches stays.
    mutating func withdrawRecords(_ batch: inout SpanBatch, _ bytes: RawSpan) {
        let wrappers = traces.wrappers
        var records = wrappers.filter { $0.isBare && $0.spent != nil && spans[$0.span].parentID != nil }
        guard !records.isEmpty else { return }
        records = records.filter { kind(of: $0.span) == .other && callKind(of: $0.span) == .other }
        guard !records.isEmpty else { return }
        let positions = SpanPositions(spans)
        let isParent = parents(positions)
        records = records.filter { !isParent[$0.span] }
        guard !records.isEmpty else { return }
        let scopes = scopes(of: records.map(\.span) + traces.modelCalls.map(\.span), batch)
        var ledgers: [RecordPlace: SpentLedger] = [:]
        for record in records { ledgers[place(of: record.span, scopes[record.span])] = SpentLedger() }
        for event in usageEvents(records) {
            guard event.isRecord else {
                add(event, scopes[event.span], positions, to: &ledgers)
                continue
            }
            let place = place(of: event.span, scopes[event.span])
            guard ledgers[place]?.isRepeated(event.spent) == true, hasRoom(for: Self.recordSize, on: event.span, &batch)
            else { continue }
            let counts = TokenCounts(input: event.spent.input, output: event.spent.output, total: nil)
            guard let counts else { continue }
            batch.addAttribute("repeat.chat.tokenUsage", to: .span(event.span)) { counts.write(to: &$0) }
            batch.addAttribute("mlflow.chat.tokenUsage", to: .span(event.span)) { $0.null() }
            didSet("mlflow.chat.tokenUsage", event.span, by: .engine("repeated call"), of: 0..<0)
        }
    }

    /// Records and calls of models in the order of time.
    private mutating func usageEvents(_ records: [TraceFacts.Wrapper]) -> [UsageEvent] {
        var events = records.map { record in
            UsageEvent(
                time: spans[record.span].start,
                isRecord: true,
                span: record.span,
                spent: record.spent ?? SpentTokens()
            )
        }
        for call in traces.modelCalls {
            guard let spent = call.spent else { continue }
            events.append(UsageEvent(time: end(of: call.span), isRecord: false, span: call.span, spent: spent))
        }
        events.sort(by: UsageEvent.isBefore)
        content.tape.account.steps &+= 2 &* events.count
        return events
    }

    /// Adds a call to the ledgers of the places above it, up to the next call, which stands for it.
    private mutating func add(
        _ call: UsageEvent,
        _ scope: Int?,
        _ positions: SpanPositions,
        to ledgers: inout [RecordPlace: SpentLedger]
    ) {
        var current = call.span
        for _ in 0..<Self.levelsMax {
            guard spans[current].parentID != nil else { return }
            content.tape.account.steps &+= 1
            ledgers[place(of: current, scope)]?.add(call.spent, of: current)
            guard let parent = positions.parent(of: current, spans), callKind(of: parent) == .other else { return }
            current = parent
        }
    }

    private mutating func place(of span: Int, _ scope: Int?) -> RecordPlace {
        RecordPlace(
            trace: spans[span].traceID,
            parent: spans[span].parentID ?? spans[span].spanID,
            scope: scope ?? spans[span].scope
        )
    }

    /// By span: whether another one stands below it.
    private mutating func parents(_ positions: SpanPositions) -> [Bool] {
        content.tape.account.steps &+= 2 &* spans.count
        var isParent = [Bool](repeating: false, count: spans.count)
        for index in spans.indices {
            if let parent = positions.parent(of: index, spans) { isParent[parent] = true }
        }
        return isParent
    }

    /// By span: the first scope that has the name of its own.
    private mutating func scopes(of list: [Int], _ batch: borrowing SpanBatch) -> [Int: Int] {
        var byName: [String: Int] = [:]
        var byScope: [Int: Int] = [:]
        var bySpan: [Int: Int] = [:]
        for span in list {
            let scope = spans[span].scope
            if byScope[scope] == nil {
                let name = batch.text(batch.scopes[scope].name)
                content.tape.account.steps &+= 1 &+ name.utf8.count &>> 4
                byName[name] = byName[name] ?? scope
                byScope[scope] = byName[name]
            }
            bySpan[span] = byScope[scope]
        }
        return bySpan
    }

    /// Spans above a call whose records may tell of it, at most.
    private static var levelsMax: Int { 16 }
    /// Bytes of both attributes, at most.
    private static var recordSize: Int { 256 }
}

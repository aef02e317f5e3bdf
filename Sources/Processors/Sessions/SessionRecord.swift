import Basics
import OTLP
import Pipeline

/// What a log record of a session says, read out of its request.
struct SessionRecord {
    let event: SessionEvent
    /// The whole record in wire form.
    let bytes: [UInt8]
    /// Its place among those of the same moment, where the program says it.
    let order: Double
    let resource: SessionResource
    let part: WholeTrace.Part

    /// What was asked or answered.
    let said: String?
    let (user, model, response): (String?, String?, String?)
    let (input, output, cacheRead, cacheCreation): (Double?, Double?, Double?, Double?)
    let (reasoning, total, cost): (Double?, Double?, Double?)
    let (tool, call, arguments, result): (String?, String?, String?, String?)
    /// Why it failed; nil where it did not.
    let failure: String?
    private let duration: Double

    /// Those of the records of a request that `isWanted` wants.
    static func all(of part: WholeTrace.Part, where isWanted: (SessionEvent) -> Bool = { _ in true }) -> [SessionRecord]
    {
        guard let batch = try? Envelope(part.payload, signal: .logs) else { return [] }
        // However large a resource is, all its records share it.
        var resources: [Int: SessionResource] = [:]
        var records: [SessionRecord] = []
        for unit in 0..<batch.unitCount {
            guard let event = SessionEvent(unit, of: batch), isWanted(event) else { continue }
            let index = batch.scopes[batch.unit(unit).scope].resource
            let resource = resources[index] ?? SessionResource(index, batch)
            resources[index] = resource
            records.append(SessionRecord(event, resource, batch, part))
        }
        return records
    }

    private init(
        _ event: SessionEvent,
        _ resource: SessionResource,
        _ batch: borrowing Envelope,
        _ part: WholeTrace.Part
    ) {
        typealias Keys = SessionEvent.Keys
        (self.event, self.resource, self.part) = (event, resource, part)
        bytes = Array(batch.bytes[event.field])
        order = event.number(["event.sequence"], batch) ?? 0
        said = event.said(batch)
        (user, model) = (event.text(Keys.user, batch), event.text(Keys.model, batch))
        response = event.role == .call ? event.text(Keys.response, batch) : nil
        (input, output) = (event.number(Keys.input, batch), event.number(Keys.output, batch))
        (cacheRead, cacheCreation) = (event.number(Keys.cacheRead, batch), event.number(Keys.cacheCreation, batch))
        (reasoning, total) = (event.number(Keys.reasoning, batch), event.number(Keys.total, batch))
        cost = event.number(Keys.cost, batch)
        (tool, call) = (event.text(Keys.tool, batch), event.text(Keys.call, batch))
        (arguments, result) = (event.text(Keys.arguments, batch), event.text(Keys.result, batch))
        duration = max(0, event.number(Keys.duration, batch) ?? 0)
        failure = Self.failure(event, batch)
    }

    private static func failure(_ event: SessionEvent, _ batch: borrowing Envelope) -> String? {
        let error = event.text(SessionEvent.Keys.error, batch)
        let status = event.number(SessionEvent.Keys.status, batch).flatMap { Int(exactly: $0) }
        switch event.role {
        case .failure: return error ?? status.map { "HTTP \($0)" } ?? "error"
        case .tool: return event.text(SessionEvent.Keys.success, batch) == "false" ? error ?? "error" : nil
        case .request: return error ?? status.flatMap { $0 >= 400 ? "HTTP \($0)" : nil }
        case .prompt, .answer, .call, .decision: return nil
        }
    }

    /// When what it tells of began: records are written at the end.
    var start: UInt64 {
        let nanoseconds = UInt64(exactly: (duration * 1_000_000).rounded()) ?? 0
        return event.time > nanoseconds ? event.time - nanoseconds : event.time
    }

    func precedes(_ other: SessionRecord) -> Bool {
        let (left, right) = ((event.time, order), (other.event.time, other.order))
        return left == right ? bytes.lexicographicallyPrecedes(other.bytes) : left < right
    }

    /// Input tokens with the cached ones.
    var allInput: Double? {
        input.map { event.program.leavesOutCached ? $0 + (cacheRead ?? 0) + (cacheCreation ?? 0) : $0 }
    }
}

/// What the resource of log records of a session says.
struct SessionResource {
    /// `Resource` in wire form.
    let bytes: [UInt8]
    let service: String

    fileprivate init(_ index: Int, _ batch: borrowing Envelope) {
        let attributes = batch.resources[index].attributes
        bytes = attributes.flatMap { Array(batch.bytes[batch.attributes[$0].field]) }
        let named = batch.attribute("service.name", in: attributes).map { batch.value(of: $0) }
        if case .string(let name) = named { service = batch.text(name) } else { service = "" }
    }
}

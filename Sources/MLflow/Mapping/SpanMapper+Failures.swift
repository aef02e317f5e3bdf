import Basics
import Conditions
import OTLP

// Spans that failed without saying so in their status, and what MLflow's page needs to show a failure.

extension SpanMapper {
    /// Notes a span without a status of whose failure a rule or an exception that left it tells; one with an output did not fail.
    @inline(never)
    mutating func noteFailure(_ index: Int, _ span: SpanEntry, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        guard !traces.hasAnswer(index) else { return }
        for failure in scan.plan.failures where holds(.failure, failure.rank, index, &batch) {
            let attribute = scan.first &+ failure.attribute
            guard let text = attributes.text(of: attribute, bytes) else { continue }
            let values = rules.failures[failure.rank].values
            guard values.isEmpty || values.contains(where: { bytes.equals($0, text) }) else { continue }
            let message = failure.more.flatMap { attributes.text(of: scan.first &+ $0, bytes) }
            return noteFailure(index, message ?? span.statusMessage, .rule(.failure, failure.rank), &batch)
        }
        if scan.hasException, let message = escapedException(span, bytes) {
            noteFailure(index, message.isEmpty ? span.statusMessage : message, .engine("exception.escaped"), &batch)
        }
    }

    /// The level is that of an error even if a later span makes the failure good.
    private mutating func noteFailure(_ index: Int, _ message: Range<Int>, _ decider: Decider, _ batch: inout SpanBatch)
    {
        isFailing = true
        traces.noteFailure(index, message, decider)
        setErrorLevel(index, &batch)
    }

    /// The message of an exception that left the span; nil where there is none.
    private mutating func escapedException(_ span: SpanEntry, _ bytes: RawSpan) -> Range<Int>? {
        for event in span.events where bytes.equals("exception", events[event].name) {
            var message = 0..<0
            var isEscaped = false
            content.tape.account.steps &+= events[event].attributes.count
            for attribute in events[event].attributes {
                let entry = attributes[attribute]
                if bytes.equals("exception.message", entry.key) {
                    message = attributes.text(of: attribute, bytes) ?? message
                } else if bytes.equals("exception.escaped", entry.key) {
                    isEscaped = Self.isTrue(AttributeValue(entry.value, in: bytes), bytes)
                }
            }
            if isEscaped { return message }
        }
        return nil
    }

    private static func isTrue(_ value: AttributeValue, _ bytes: RawSpan) -> Bool {
        switch value {
        case .bool(let isTrue): isTrue
        case .string(let text): bytes.equals("true", text) || bytes.equals("True", text)
        default: false
        }
    }

    /// Gives the spans that failed that status, but those after which another one succeeded: a retry, or a fallback.
    mutating func finishFailures(_ batch: inout SpanBatch, _ bytes: RawSpan) {
        guard !traces.failures.isEmpty else { return }
        content.tape.account.steps &+= spans.count &+ traces.failures.count
        var successes: [Siblings: UInt64] = [:]
        for failure in traces.failures { siblings(of: failure.span, bytes).map { successes[$0] = 0 } }
        let failed = Set(traces.failures.map(\.span))
        for index in spans.indices where spans[index].statusCode != 2 && !failed.contains(index) {
            guard batch.removal(of: index) == nil, let siblings = siblings(of: index, bytes),
                let latest = successes[siblings]
            else { continue }
            successes[siblings] = max(latest, spans[index].start)
        }
        for failure in traces.failures {
            let later = siblings(of: failure.span, bytes).flatMap { successes[$0] } ?? 0
            let span = spans[failure.span]
            guard later == 0 || later < max(span.start, span.end) else { continue }
            fail(failure.span, failure.message, failure.decider, &batch, bytes)
        }
    }

    /// Spans below the same one that do the same: calls of models, of one tool, or of one name.
    private struct Siblings: Hashable {
        let trace: TraceID
        let parent: SpanID
        let kind: TraceSpan.Kind
        let name: String
    }

    private mutating func siblings(of index: Int, _ bytes: RawSpan) -> Siblings? {
        guard let parent = spans[index].parentID else { return nil }
        let kind = kind(of: index)
        let name = [.model, .agent].contains(kind) ? "" : name(of: index, bytes)
        return Siblings(trace: spans[index].traceID, parent: parent, kind: kind, name: name)
    }

    /// What a tool's span is called after, else its name.
    private mutating func name(of index: Int, _ bytes: RawSpan) -> String {
        look(at: index, spans[index], bytes)
        var name = spans[index].name
        for planned in scan.plan.spanNames {
            guard let text = attributes.text(of: scan.first &+ planned.attribute, bytes) else { continue }
            name = text
            break
        }
        return bytes.text(bytes.prefix(of: name, characters: TextLimit.spanName))
    }

    /// Gives a span without a status that of a failure.
    mutating func fail(
        _ index: Int,
        _ message: Range<Int>,
        _ decider: Decider,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) {
        let message = bytes.prefix(of: message, characters: TextLimit.statusMessage)
        guard hasRoom(for: 2 * message.count + Self.failureSize, on: index, &batch) else { return }
        traces.noteFailed(index)
        batch.setFailed(message, of: index)
        didSet("status", index, by: decider, of: 0..<0)
        look(at: index, spans[index], bytes)
        if traces.failure(of: index) == nil { setErrorLevel(index, &batch) }
        addException(index, message, &batch, bytes)
    }

    /// Gives a failed span the level of an error.
    mutating func setErrorLevel(_ index: Int, _ batch: inout SpanBatch) {
        guard scan[.logLevel] == nil else { return }
        batch.addAttribute("mlflow.spanLogLevel", to: .span(index)) { $0.int(40) }
        didSet("mlflow.spanLogLevel", index, by: .engine("status"), of: 0..<0)
    }

    /// Adds the event without which MLflow's page does not show a failure.
    mutating func addException(_ index: Int, _ message: Range<Int>, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        guard !scan.hasException else { return }
        let span = spans[index]
        let type = scan[.errorType].flatMap { attributes.text(of: $0, bytes) }.map {
            bytes.prefix(of: $0, characters: TextLimit.errorType)
        }
        let code = message.isEmpty && type == nil ? callStatus(span, bytes) : nil
        batch.addEvent("exception", at: max(span.start, span.end), to: index) { event in
            if let type { event.add("exception.type") { $0.string(bytes, type) } }
            event.add("exception.message") { text in
                if !message.isEmpty {
                    text.string(bytes, message)
                } else if let type {
                    text.string(bytes, type)
                } else {
                    text.string(code ?? "ERROR")
                }
            }
            event.add("millrace.added") { $0.bool(true) }
        }
        didSet("exception", index, by: .engine("status"), of: 0..<0)
    }

    /// The status with which a call of HTTP or RPC ended, for people.
    private mutating func callStatus(_ span: SpanEntry, _ bytes: RawSpan) -> String? {
        content.tape.account.steps &+= span.attributes.count
        for attribute in span.attributes {
            let key = attributes[attribute].key
            let kind: String
            if bytes.equals("http.response.status_code", key) || bytes.equals("http.status_code", key) {
                kind = "HTTP"
            } else if bytes.equals("rpc.grpc.status_code", key) || bytes.equals("rpc.response.status_code", key) {
                kind = "RPC"
            } else {
                continue
            }
            switch AttributeValue(attributes[attribute].value, in: bytes) {
            case .int(let code) where kind == "RPC" || code >= 400: return "\(kind) \(code)"
            case .string(let text) where !text.isEmpty && text.count < 64: return "\(kind) \(bytes.text(text))"
            default: continue
            }
        }
        return nil
    }

    /// Bytes around the message, written twice, at most: with the kind of error, of four bytes a letter.
    private static var failureSize: Int { 384 + 8 * TextLimit.errorType }
}

import Basics
import OTLP
import Pipeline

/// A question, what was done about it, and the answer, as the spans of one trace.
struct SessionTurn {
    let trace: TraceID
    /// Its records in the order of their times; at least one.
    var records: [SessionRecord]

    /// Nil where nothing of it makes a span.
    func composed(isLate: Bool) -> ComposedTurn? {
        guard let first = records.first else { return nil }
        let root = SessionID.span(of: trace)
        let steps = steps(below: root)
        let spans = (isLate ? [] : [self.root(root, above: steps)]) + steps
        guard !spans.isEmpty else { return nil }
        var scope: [UInt8] = []
        scope.append(field: 0x0A, Array("millrace".utf8))
        var group: [UInt8] = []
        group.append(field: 0x0A, scope)
        for span in spans { group.append(field: 0x12, span.message(in: trace)) }
        var resource: [UInt8] = []
        resource.append(field: 0x0A, first.resource.bytes)
        resource.append(field: 0x12, group)
        var request: [UInt8] = []
        request.append(field: 0x0A, resource)
        let isBound = first.part.metadata.trace?.isBound ?? false
        var metadata = first.part.metadata
        (metadata.signal, metadata.route) = (.traces, .none)
        metadata.trace = TraceMark(trace: trace, isBound: isBound, service: first.part.metadata.trace?.service ?? "")
        let received = records.map(\.part.receivedAt).min() ?? first.part.receivedAt
        return ComposedTurn(
            key: TraceKey(trace, identity: isBound ? metadata.identity : nil),
            part: WholeTrace.Part(receivedAt: received, metadata: metadata, payload: request),
            spans: spans.count,
            joined: records.count
        )
    }

    /// The span of the whole turn.
    private func root(_ id: SpanID, above steps: [CreatedSpan]) -> CreatedSpan {
        let first = records[0]
        let end = max(steps.map(\.end).max() ?? 0, records.map(\.event.time).max() ?? 0)
        let start = min(steps.map(\.start).min() ?? .max, first.event.time)
        let agent = first.resource.service.isEmpty ? "agent" : first.resource.service
        var root = CreatedSpan(id, below: nil, "invoke_agent \(agent)", start: start, end: end)
        root.set("gen_ai.operation.name", "invoke_agent")
        root.set("gen_ai.agent.name", agent)
        root.set("session.id", first.event.session)
        root.set("user.id", records.lazy.compactMap(\.user).first)
        let answer = records.last { [.answer, .call].contains($0.event.role) && $0.said != nil }?.said
        root.set("gen_ai.input.messages", role: "user", saying: question)
        root.set("gen_ai.output.messages", role: "assistant", saying: answer)
        let ends = records.last { [.answer, .call, .failure, .request].contains($0.event.role) }
        if answer == nil, ends?.event.role != .call { root.failure = ends?.failure }
        root.markCreated()
        return root
    }

    private var question: String? { records.first { $0.event.role == .prompt }?.said }

    /// Model calls and tools.
    private func steps(below root: SpanID) -> [CreatedSpan] {
        var steps: [CreatedSpan] = []
        // Where a call was, in case that the answer comes in a record of its own.
        var (call, begun): (Int?, UInt64?) = (nil, nil)
        for record in records {
            switch record.event.role {
            case .prompt, .decision: continue
            case .request where record.failure == nil: begun = begun ?? record.start
            case .request, .failure: steps.append(model(record, below: root, from: record.start))
            case .tool: steps.append(tool(record, below: root))
            case .call:
                steps.append(model(record, below: root, from: min(begun ?? .max, record.start)))
                (call, begun) = (steps.count - 1, nil)
            case .answer:
                guard let place = call else { continue }
                steps[place].set("gen_ai.output.messages", role: "assistant", saying: record.said)
                call = nil
            }
        }
        if let first = steps.firstIndex(where: { $0.name.hasPrefix("chat") }) {
            steps[first].set("gen_ai.input.messages", role: "user", saying: question)
        }
        return steps
    }

    private func model(_ record: SessionRecord, below root: SpanID, from start: UInt64) -> CreatedSpan {
        let id = SessionID.span(of: trace, telling: record.bytes)
        let name = record.model.map { "chat \($0)" } ?? "chat"
        var span = CreatedSpan(id, below: root, name, start: start, end: record.event.time)
        span.set("gen_ai.operation.name", "chat")
        let provider = record.event.program.provider
        span.set("gen_ai.provider.name", provider.isEmpty ? nil : provider)
        span.set("gen_ai.request.model", record.model)
        span.set("gen_ai.response.id", record.response)
        if record.event.role == .call {
            span.set("gen_ai.usage.input_tokens", count: record.allInput)
            span.set("gen_ai.usage.output_tokens", count: record.output)
            span.set("gen_ai.usage.cache_read.input_tokens", count: record.cacheRead)
            span.set("gen_ai.usage.cache_creation.input_tokens", count: record.cacheCreation)
            span.set("gen_ai.usage.reasoning.output_tokens", count: record.reasoning)
            span.set("gen_ai.usage.total_tokens", count: record.total)
            // Only the whole is known, and is not divided by guess.
            span.set("gen_ai.cost.input_cost", amount: record.cost)
            span.set("gen_ai.cost.output_cost", amount: record.cost.map { _ in 0 })
            span.set("gen_ai.cost.total_cost", amount: record.cost)
            span.set("gen_ai.output.messages", role: "assistant", saying: record.said)
        }
        span.failure = record.failure
        span.markCreated()
        return span
    }

    private func tool(_ record: SessionRecord, below root: SpanID) -> CreatedSpan {
        let id = SessionID.span(of: trace, telling: record.bytes)
        let name = record.tool.map { "execute_tool \($0)" } ?? "execute_tool"
        var span = CreatedSpan(id, below: root, name, start: record.start, end: record.event.time)
        span.set("gen_ai.operation.name", "execute_tool")
        span.set("gen_ai.tool.name", record.tool)
        span.set("gen_ai.tool.call.id", record.call)
        span.set("gen_ai.tool.call.arguments", record.arguments)
        span.set("gen_ai.tool.call.result", record.result)
        span.failure = record.failure
        span.markCreated()
        return span
    }
}

import Basics
import Settings

/// A trace of an agent that calls a tool and has a model word the answer: what GenAI instrumentations send, made up.
struct DemoTrace {
    /// What its spans say where they come from.
    static let service = "millrace-demo"
    static let spanCount = 3

    private static let agent = "invoke_agent weather"
    private static let question = "What is the weather in Paris?"
    private static let answer = "It is sunny in Paris, 21 degrees."

    /// 32 hexadecimal digits.
    let id: String
    private let end: UnixTime
    private let session: String

    /// It ended at that moment.
    init(end: UnixTime) {
        self.end = end
        id = Self.digits(32)
        session = Self.digits(8)
    }

    /// The request in OTLP's JSON.
    var body: [UInt8] {
        let root = Self.digits(16)
        let spans: [JSON] = [
            span(Self.agent, id: root, parent: nil, from: 1400, to: 0, agentAttributes),
            span("execute_tool get_weather", id: Self.digits(16), parent: root, from: 1380, to: 1080, toolAttributes),
            span("chat gpt-4o-mini", id: Self.digits(16), parent: root, from: 1050, to: 20, chatAttributes),
        ]
        let scope: JSON = ["name": "millrace.demo", "version": .text(Product.version)]
        let resource: JSON = ["attributes": Self.attributes([("service.name", .text(Self.service))])]
        let request: JSON = [
            "resourceSpans": [
                ["resource": resource, "scopeSpans": [["scope": scope, "spans": .array(spans)]]]
            ]
        ]
        return Array(request.lineText.utf8)
    }

    private func span(
        _ name: String,
        id spanID: String,
        parent: String?,
        from start: UInt64,
        to end: UInt64,
        _ attributes: [(String, JSON)]
    ) -> JSON {
        let parent: JSON = parent.map { ["parentSpanId": .text($0)] } ?? [:]
        let span: JSON = [
            "traceId": .text(id), "spanId": .text(spanID), "name": .text(name), "kind": .integer(1),
            "startTimeUnixNano": time(start), "endTimeUnixNano": time(end), "status": ["code": .integer(1)],
            "attributes": Self.attributes(attributes),
        ]
        return span.adding(parent)
    }

    /// So many milliseconds before the end.
    private func time(_ milliseconds: UInt64) -> JSON { .text("\(end.nanoseconds - milliseconds * 1_000_000)") }

    private var agentAttributes: [(String, JSON)] {
        [
            ("gen_ai.operation.name", "invoke_agent"), ("gen_ai.agent.name", "weather"),
            ("gen_ai.conversation.id", .text("demo-\(session)")),
        ] + messages
    }

    private var chatAttributes: [(String, JSON)] {
        [
            ("gen_ai.operation.name", "chat"), ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "gpt-4o-mini"), ("gen_ai.response.model", "gpt-4o-mini-2024-07-18"),
            ("gen_ai.usage.input_tokens", .integer(87)), ("gen_ai.usage.output_tokens", .integer(24)),
        ] + messages
    }

    private var messages: [(String, JSON)] {
        func message(_ role: String, _ text: String) -> JSON {
            let message: JSON = ["role": .text(role), "parts": [["type": "text", "content": .text(text)]]]
            return .text(JSON.array([message]).lineText)
        }
        return [
            ("gen_ai.input.messages", message("user", Self.question)),
            ("gen_ai.output.messages", message("assistant", Self.answer)),
        ]
    }

    private var toolAttributes: [(String, JSON)] {
        [
            ("gen_ai.operation.name", "execute_tool"), ("gen_ai.tool.name", "get_weather"),
            ("gen_ai.tool.call.arguments", #"{"city": "Paris"}"#),
            ("gen_ai.tool.call.result", #"{"sky": "sunny", "degrees": 21}"#),
        ]
    }

    private static func attributes(_ attributes: [(String, JSON)]) -> JSON {
        .array(
            attributes.map { key, value -> JSON in
                var typed: JSON = ["stringValue": value]
                if case .number(let digits) = value { typed = ["intValue": .text(digits)] }
                return ["key": .text(key), "value": typed]
            }
        )
    }

    private static func digits(_ count: Int) -> String {
        (0..<count).map { _ in String(Int.random(in: 0..<16), radix: 16) }.joined()
    }
}

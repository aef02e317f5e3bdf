import Basics
import OTLP
import Pipeline

/// Log records that say what was asked and answered in the spans that they name.
///
/// A message becomes an event of its span as older instrumentations wrote it there; the details of a call become the span's own attributes. So
/// the same rules find the conversation that find it in spans.
struct JoinedLogs {
    /// What a span is told by: joined is only what the same client sent.
    private struct Owner: Hashable {
        let identity: ExactText
        let span: SpanID
    }

    private struct Record {
        let time: UInt64
        /// In which order it came.
        let order: Int
        /// An `Event` message; nil for details.
        var event: [UInt8]?
        /// `KeyValue` messages by their keys.
        var details: [(key: String, attribute: [UInt8])] = []

        var bytes: Int { details.reduce(event?.count ?? 0) { $0 + $1.attribute.count } }
    }

    private var records: [Owner: [Record]] = [:]
    /// Records that were sent twice count once.
    private var known: Set<[UInt8]> = []
    private var count = 0

    /// The records of these envelopes that name a span of the trace.
    init(_ logs: [WholeTrace.Part], of trace: TraceID) {
        for part in logs {
            guard let batch = try? Envelope(part.payload, signal: .logs) else { continue }
            for unit in 0..<batch.unitCount where batch.unit(unit).traceID == trace {
                guard let kind = GenAIEvent(unit, of: batch) else { continue }
                let event = batch.logEvent(unit)
                guard known.insert(Array(batch.bytes[event.field])).inserted else { continue }
                var record = Record(time: event.time, order: count)
                count += 1
                if kind.isDetails {
                    record.details = Self.details(unit, batch)
                } else {
                    record.event = Self.message(kind, event, unit, batch)
                }
                let owner = Owner(identity: ExactText(part.metadata.identity ?? ""), span: batch.unit(unit).spanID)
                records[owner, default: []].append(record)
            }
        }
    }

    /// Puts the records into the first span of the id that they name, but into none that has content of its own.
    ///
    /// - Parameters:
    ///   - batch: The spans.
    ///   - bytesMax: Bytes that may be added; a record that would be over it is left out.
    ///   - identity: By span, who sent it.
    /// - Returns: How many records were put in.
    mutating func apply(to batch: inout SpanBatch, bytesMax: Int, identity: (Int) -> String?) -> Int {
        var (joined, left) = (0, bytesMax)
        for span in batch.spans.indices where !records.isEmpty {
            let owner = Owner(identity: ExactText(identity(span) ?? ""), span: batch.spans[span].spanID)
            // Another span of the same id says nothing new: what is joined to each of them would multiply.
            guard let own = records.removeValue(forKey: owner), !Self.hasContent(span, batch) else { continue }
            var details: [String: [UInt8]] = [:]
            for record in own.sorted(by: { ($0.time, $0.order) < ($1.time, $1.order) }) where record.bytes <= left {
                left -= record.bytes
                if let event = record.event { batch.addEvent(event, to: span) }
                for (key, attribute) in record.details { details[key] = attribute }
                joined += 1
            }
            for (_, attribute) in details.sorted(by: { $0.key < $1.key }) {
                var field: [UInt8] = []
                field.append(field: 0x4A, attribute)
                batch.addAttributes(to: .span(span), field.span.bytes, 0..<field.count)
            }
        }
        return joined
    }

    private static func hasContent(_ span: Int, _ batch: borrowing SpanBatch) -> Bool {
        let bytes = batch.bytes.span.bytes
        let saysItself = batch.spans[span].attributes.contains { attribute in
            contentKeys.find(bytes, batch.attributes[attribute].key) != nil
        }
        return saysItself || batch.events[batch.spans[span].events].contains { GenAIEvent.isNamed($0.name, bytes) }
    }

    /// What a span says itself comes before what log records say of it.
    private static let contentKeys = KeyTable([
        "mlflow.spanInputs", "mlflow.spanOutputs", "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.prompt",
        "gen_ai.completion", "input.value", "output.value", "langfuse.observation.input",
        "langfuse.observation.output",
    ])

    /// The content among the attributes of a record of details.
    private static func details(_ unit: Int, _ batch: borrowing Envelope) -> [(String, [UInt8])] {
        let bytes = batch.bytes.span.bytes
        return batch.unit(unit).attributes.compactMap { attribute in
            let entry = batch.attributes[attribute]
            guard detailKeys.find(bytes, entry.key) != nil else { return nil }
            return (bytes.text(entry.key), keyValue(batch.bytes[entry.key], batch.bytes[entry.value]))
        }
    }

    private static let detailKeys = KeyTable([
        "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.definitions",
    ])

    /// A message as an event: what its body says, else what its attributes say.
    private static func message(
        _ kind: GenAIEvent,
        _ event: LogEvent,
        _ unit: Int,
        _ batch: borrowing Envelope
    ) -> [UInt8] {
        let bytes = batch.bytes.span.bytes
        var message: [UInt8] = [0x09]
        message.appendFixed64(event.time)
        message.append(field: 0x12, Array(kind.name.utf8))
        let content = Array("content".utf8)[...]
        if let key = kind.content {
            let found = batch.attribute(key, in: batch.unit(unit).attributes)
            if let found {
                message.append(field: 0x1A, keyValue(content, batch.bytes[batch.attributes[found].value]))
            }
            return message
        }
        switch AttributeValue(event.body, in: bytes) {
        case .keyValueList(let members):
            bytes.forEachMember(of: members) { key, value in
                message.append(field: 0x1A, keyValue(batch.bytes[key], batch.bytes[value]))
            }
        case .string(let text):
            // Some emitters write the body as JSON.
            if let members = JSONMembers(bytes, text)?.fields {
                members.span.bytes.forEachMember(of: 0..<members.count) { key, value in
                    message.append(field: 0x1A, keyValue(members[key], members[value]))
                }
            } else {
                message.append(field: 0x1A, keyValue(content, batch.bytes[event.body]))
            }
        case .array:
            message.append(field: 0x1A, keyValue(content, batch.bytes[event.body]))
        case .empty, .bool, .int, .double, .bytes:
            for attribute in batch.unit(unit).attributes
            where !batch.equals("event.name", batch.attributes[attribute].key) {
                let entry = batch.attributes[attribute]
                message.append(field: 0x1A, keyValue(batch.bytes[entry.key], batch.bytes[entry.value]))
            }
        }
        return message
    }

    private static func keyValue(_ key: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) -> [UInt8] {
        var message: [UInt8] = []
        message.append(field: 0x0A, key)
        message.append(field: 0x12, value)
        return message
    }
}

/// A log record that holds a part of a conversation.
struct GenAIEvent {
    /// Under which name it becomes an event of its span.
    let name: String
    /// The attribute with the text of a message; nil where that stands in the body.
    let content: StaticString?
    /// Whether it describes a whole call, in attributes that spans may have as well.
    let isDetails: Bool

    /// Nil for any other record, and for one that names no span.
    init?(_ unit: Int, of batch: borrowing Envelope) {
        guard batch.unit(unit).hasTrace, batch.unit(unit).spanID.value != 0 else { return nil }
        let event = batch.logEvent(unit)
        guard let index = batch.index(of: event, in: Self.names) else { return nil }
        let known = Self.known[index]
        (name, content, isDetails) = (known.becomes ?? "\(known.name)", known.content, known.isDetails)
    }

    /// Whether a name is that of such a record.
    static func isNamed(_ name: Range<Int>, _ bytes: RawSpan) -> Bool { names.find(bytes, name) != nil }

    private struct Known {
        let name: StaticString
        var becomes: String?
        var content: StaticString?
        var isDetails = false
    }

    private static let known = [
        Known(name: "gen_ai.system.message"), Known(name: "gen_ai.user.message"),
        Known(name: "gen_ai.assistant.message"), Known(name: "gen_ai.tool.message"), Known(name: "gen_ai.choice"),
        Known(name: "gen_ai.client.inference.operation.details", isDetails: true),
        Known(name: "codex.user_prompt", becomes: "gen_ai.user.message", content: "prompt"),
        Known(name: "gemini_cli.user_prompt", becomes: "gen_ai.user.message", content: "prompt"),
        Known(name: "claude_code.user_prompt", becomes: "gen_ai.user.message", content: "prompt"),
        Known(name: "claude_code.assistant_response", becomes: "gen_ai.choice", content: "response"),
    ]
    private static let names = KeyTable(known.map { "\($0.name)" })
}

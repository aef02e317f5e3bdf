import Basics
import OTLP
import Pipeline

/// What log records of a session say of tool calls, for the spans of those calls.
struct SessionTools {
    /// What a call is told by: joined is only what the same client sent.
    private struct Owner: Hashable {
        let identity: ExactText
        let call: String
    }

    private var records: [Owner: SessionRecord] = [:]

    init(_ logs: [WholeTrace.Part]) {
        for part in logs {
            for record in SessionRecord.all(of: part, where: { $0.role == .tool }) {
                guard let call = record.call, record.arguments != nil || record.result != nil else { continue }
                records[Owner(identity: ExactText(part.metadata.identity ?? ""), call: call)] = record
            }
        }
    }

    /// Gives the first span of each call what it does not say itself.
    ///
    /// - Parameters:
    ///   - batch: The spans.
    ///   - bytesMax: Bytes that may be added; what would be over it is left out.
    ///   - identity: By span, who sent it.
    /// - Returns: How many records were put in.
    func apply(to batch: inout SpanBatch, bytesMax: Int, identity: (Int) -> String?) -> Int {
        guard !records.isEmpty else { return 0 }
        var (joined, left, found) = (0, bytesMax, records)
        let order = batch.spans.indices.sorted { batch.spans[$0].start < batch.spans[$1].start }
        for span in order {
            guard let call = Self.call(span, batch) else { continue }
            let owner = Owner(identity: ExactText(identity(span) ?? ""), call: call)
            guard let record = found.removeValue(forKey: owner), !Self.hasContent(span, batch) else { continue }
            let fields = [(Self.arguments, record.arguments), (Self.result, record.result)].flatMap { key, text in
                text.map { Self.field(key, $0) } ?? []
            }
            guard fields.count <= left else { continue }
            left -= fields.count
            batch.addAttributes(to: .span(span), fields.span.bytes, 0..<fields.count)
            joined += 1
        }
        return joined
    }

    private static let (arguments, result) = ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result")
    private static let ids = KeyTable(["gen_ai.tool.call.id", "tool_use_id", "call_id", "tool.call_id"])
    private static let contentKeys = KeyTable([arguments, result, "tool_input", "mlflow.spanInputs", "input.value"])

    private static func call(_ span: Int, _ batch: borrowing SpanBatch) -> String? {
        let bytes = batch.bytes.span.bytes
        let known = batch.spans[span].attributes.first { ids.find(bytes, batch.attributes[$0].key) != nil }
        guard let known, case .string(let text) = batch.value(of: known) else { return nil }
        return batch.text(text)
    }

    private static func hasContent(_ span: Int, _ batch: borrowing SpanBatch) -> Bool {
        let bytes = batch.bytes.span.bytes
        return batch.spans[span].attributes.contains { contentKeys.find(bytes, batch.attributes[$0].key) != nil }
    }

    private static func field(_ key: String, _ text: String) -> [UInt8] {
        var (value, attribute, field): ([UInt8], [UInt8], [UInt8]) = ([], [], [])
        value.append(field: 0x0A, Array(text.utf8))
        attribute.append(field: 0x0A, Array(key.utf8))
        attribute.append(field: 0x12, value)
        field.append(field: 0x4A, attribute)
        return field
    }
}

import Basics
import OTLP

// The app's own attributes win, so they are left byte for byte; only what MLflow would refuse, or what one of its versions
// cannot read, is mended.

extension SpanMapper {
    /// Mends the app's own attributes of one span.
    mutating func repairOwn(_ index: Int, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        for counted in 0..<scan.plan.tokenCounts.count {
            let attribute = scan.first &+ scan.plan.tokenCounts[counted]
            guard bytes.shortCount(attributes[attribute].value) == nil else { continue }
            repairTokenCount(attribute, index, &batch, bytes)
        }
        for other in 0..<scan.plan.others.count {
            repairOther(scan.first &+ scan.plan.others[other], index, &batch, bytes)
        }
        guard scan.plan.known != 0 else { return }
        if scan.plan.hasOwn { repairNamed(index, &batch, bytes) }
        if !isShortText(.sessionID, TextLimit.session, bytes) {
            repairContext(.sessionID, "session.id", TextLimit.session, index, &batch, bytes)
        }
        if !isShortText(.conversationID, TextLimit.session, bytes) {
            repairContext(.conversationID, "gen_ai.conversation.id", TextLimit.session, index, &batch, bytes)
        }
        if !isShortText(.userID, TextLimit.user, bytes) {
            repairContext(.userID, "user.id", TextLimit.user, index, &batch, bytes)
        }
        if let level = scan[.logLevel] { decodeJSON(level, index, &batch, bytes) }
        if scan.plan.hasOwn { repairStructured(index, &batch, bytes) }
    }

    @inline(never)
    private mutating func repairNamed(_ index: Int, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        if let attribute = scan[.traceRequestID] {
            batch.removeAttribute(attribute)
            didRepair("mlflow.traceRequestId", index, .removed)
        }
        repairText(.spanType, "mlflow.spanType", TextLimit.type, index, &batch, bytes)
        repairText(.model, "mlflow.llm.model", .max, index, &batch, bytes)
        repairText(.provider, "mlflow.llm.provider", .max, index, &batch, bytes)
        repairText(.messageFormat, "mlflow.message.format", .max, index, &batch, bytes)
        repairText(.traceName, "mlflow.traceTag.mlflow.traceName", TextLimit.traceName, index, &batch, bytes)
    }

    @inline(never)
    private mutating func repairStructured(_ index: Int, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        for key in [KnownKey.inputs, .outputs, .tools] {
            if let attribute = scan[key] { decodeJSON(attribute, index, &batch, bytes) }
        }
        repairUsage(index, &batch, bytes)
        repairCost(index, &batch, bytes)
    }

    /// Quotes around a type end up in MLflow's column, and text over the limit is refused.
    private mutating func repairText(
        _ key: KnownKey,
        _ name: StaticString,
        _ limit: Int,
        _ index: Int,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) {
        guard let attribute = scan[key], let range = attributes.text(of: attribute, bytes) else { return }
        let inner = bytes.prefix(of: bytes.unquoted(range), characters: limit)
        guard inner != range else { return }
        batch.removeAttribute(attribute)
        guard !inner.isEmpty else { return didRepair("\(name)", index, .removed) }
        batch.addAttribute(name, to: .span(index)) { $0.string(bytes, inner) }
        didRepair("\(name)", index)
    }

    /// Whether an attribute is not there, or as MLflow takes it.
    @inline(__always)
    private func isShortText(_ key: KnownKey, _ limit: Int, _ bytes: RawSpan) -> Bool {
        guard let attribute = scan[key] else { return true }
        guard let text = bytes.shortText(attributes[attribute].value) else { return false }
        return text.count <= limit && !Self.isPlaceholder(key, text, bytes)
    }

    /// Whether a text stands for no session or user; MLflow would take it for one.
    private static func isPlaceholder(_ key: KnownKey, _ text: Range<Int>, _ bytes: RawSpan) -> Bool {
        key == .userID
            ? IdentityPlaceholders.isNobody(text, bytes) : IdentityPlaceholders.isNoSession(text, bytes)
    }

    /// An empty session hides the conversation's id, and one that stands for none joins traces.
    @inline(never)
    private mutating func repairContext(
        _ key: KnownKey,
        _ name: StaticString,
        _ limit: Int,
        _ index: Int,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) {
        guard let attribute = scan[key] else { return }
        switch AttributeValue(attributes[attribute].value, in: bytes) {
        // MLflow would take a structure's text, and refuse the request where that is too long.
        case .empty, .bytes, .array, .keyValueList: break
        case .string(let range):
            let inner = bytes.prefix(of: range, characters: limit)
            guard !inner.isEmpty, !Self.isPlaceholder(key, inner, bytes) else { break }
            guard inner != range else { return }
            batch.removeAttribute(attribute)
            batch.addAttribute(name, to: .span(index)) { $0.string(bytes, inner) }
            return didRepair("\(name)", index)
        case .bool, .int, .double: return
        }
        batch.removeAttribute(attribute)
        didRepair("\(name)", index, .removed)
    }

    /// Text that is JSON becomes the value it describes: 3.6.0 would store it as text inside text.
    private mutating func decodeJSON(_ attribute: Int, _ index: Int, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        guard let range = attributes.text(of: attribute, bytes), range.count <= content.contentMax,
            let node = content.tape.append(json: range, of: bytes), content.tape.nodes[node].kind != .null
        else { return }
        batch.removeAttribute(attribute)
        let key = batch.text(attributes[attribute].key)
        batch.addAttribute(named: key, to: .span(index)) { content.tape.write(node, to: &$0, bytes) }
        didRepair(key, index)
    }

    /// An attribute in MLflow's name space that the engine does not know: tags that would harm go, JSON is decoded.
    private mutating func repairOther(_ attribute: Int, _ index: Int, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        let key = batch.text(attributes[attribute].key)
        if key == "mlflow.traceRequestId" || key.hasPrefix("mlflow.traceTag.mlflow.") {
            guard !Self.harmlessTags.contains(key) else { return }
            batch.removeAttribute(attribute)
            didRepair(key, index, .removed)
        } else if !key.hasPrefix("mlflow.traceTag.") {
            decodeJSON(attribute, index, &batch, bytes)
        }
    }

    /// With others MLflow 3.17.2 lets an app point a trace at any folder of the server.
    private static let harmlessTags = ["mlflow.traceTag.mlflow.linkedPrompts", "mlflow.traceTag.mlflow.user"]

    /// MLflow 3.6.0 refuses a request in which one of these is text or has a fraction.
    @inline(never)
    private mutating func repairTokenCount(_ attribute: Int, _ index: Int, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        let value = AttributeValue(attributes[attribute].value, in: bytes)
        if case .int = value { return }
        let key = batch.text(attributes[attribute].key)
        batch.removeAttribute(attribute)
        guard let count = value.count(in: bytes) else { return didRepair(key, index, .removed) }
        batch.addAttribute(named: key, to: .span(index)) { $0.int(count) }
        didRepair(key, index)
    }
}

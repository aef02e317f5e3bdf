import Basics
import Conditions
import OTLP
import Pipeline

/// What a sampler reads of a whole trace.
struct TraceReading {
    private(set) var figures = TraceFigures()
    /// The models that its calls name, and its tools.
    private(set) var models: Set<String> = []
    private(set) var tools: Set<String> = []
    /// By model.
    private var spent: [String: TraceTotals.Entry] = [:]
    private var firstModel: String?
    private(set) var hasError = false

    /// Reads the spans that stay.
    ///
    /// - Parameters:
    ///   - work: The trace, after its processors.
    ///   - created: How many spans at its begin nobody sent.
    init(_ work: SpanWork, created: Int) {
        let batch = work.batch
        let body = batch.bytes.span.bytes
        var (start, end) = (UInt64.max, UInt64(0))
        for span in batch.spans.indices where batch.removal(of: span) == nil && span >= created {
            let entry = batch.spans[span]
            figures.spans += 1
            (start, end) = (min(start, entry.start), max(end, entry.end))
            hasError = hasError || entry.statusCode == 2
            read(span, entry, batch, body, work.mapped.isEmpty ? nil : work.mapped[span])
        }
        if end > start { figures.duration = Double(end - start) }
    }

    /// What is counted of it; `isWhole` is whether it is the trace and no late part of it.
    func totals(_ route: Route, isWhole: Bool) -> TraceTotals {
        var totals = TraceTotals(route: route, entries: spent)
        // A trace counts once, for the model that it used most.
        let most = spent.max { ($0.value.tokens, $1.key) < ($1.value.tokens, $0.key) }?.key
        let model = most ?? firstModel ?? ""
        if isWhole { totals.entries[model, default: .init()].traces = 1 }
        if isWhole, hasError { totals.entries[model, default: .init()].errors = 1 }
        return totals
    }

    private mutating func read(
        _ span: Int,
        _ entry: SpanEntry,
        _ batch: SpanBatch,
        _ body: RawSpan,
        _ mapped: MappedSpan?
    ) {
        var found = [Int?](repeating: nil, count: Key.allCases.count)
        for attribute in entry.attributes {
            guard let key = Key.table.find(body, batch.attributes[attribute].key) else { continue }
            found[key] = attribute
        }
        func text(_ key: Key) -> String? {
            guard let attribute = found[key.rawValue], case .string(let range) = batch.value(of: attribute),
                range.count <= Self.textMax
            else { return nil }
            return batch.text(range)
        }
        func number(_ key: Key) -> Double? {
            switch found[key.rawValue].map({ batch.value(of: $0) }) {
            case .int(let value): Double(value)
            case .double(let value): value
            default: nil
            }
        }
        var model: String?
        for key in Key.models where model == nil { model = text(key) }
        if let model {
            if models.count < Self.namesMax { models.insert(model) }
            firstModel = firstModel ?? model
        }
        if tools.count < Self.namesMax {
            if let tool = text(.toolName) {
                tools.insert(tool)
            } else if mapped?.type == "TOOL", entry.name.count <= Self.textMax {
                tools.insert(batch.text(entry.name))
            }
        }
        let sides = [number(.inputTokens), number(.outputTokens)].compactMap { $0 }
        let own = sides.isEmpty ? nil : Int64(exactly: sides.reduce(0, +).rounded())
        let tokens = mapped == nil ? own : mapped?.tokens
        let cost = mapped?.cost ?? (mapped == nil ? number(.cost) : nil)
        // No client makes sums that others read overflow.
        if let tokens = tokens.map({ min($0, Self.tokensMax) }), tokens > 0 {
            figures.tokens = (figures.tokens ?? 0).addingClamped(tokens)
            let before = spent[model ?? ""]?.tokens ?? 0
            spent[model ?? "", default: .init()].tokens = before.addingClamped(tokens)
        }
        if let cost, cost.isFinite, cost > 0 {
            let cost = min(cost, Self.costMax)
            figures.cost = (figures.cost ?? 0) + cost
            spent[model ?? "", default: .init()].cost += cost
        }
    }

    /// What is counted of one span, at most.
    private static let tokensMax: Int64 = 1_000_000_000_000
    private static let costMax = 1e9
    private static let textMax = 200
    private static let namesMax = 100

    /// Attributes that are read.
    private enum Key: Int, CaseIterable {
        case ownModel, responseModel, requestModel, modelName, langfuseModel, aiResponseModel, aiModel
        case toolName, inputTokens, outputTokens, cost

        static let models: [Key] = [
            .ownModel, .responseModel, .requestModel, .modelName, .langfuseModel, .aiResponseModel, .aiModel,
        ]
        static let table = KeyTable([
            "mlflow.llm.model", "gen_ai.response.model", "gen_ai.request.model", "llm.model_name",
            "langfuse.observation.model.name", "ai.response.model", "ai.model.id", "gen_ai.tool.name",
            "gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.usage.cost",
        ])
    }
}

extension Int64 {
    /// The sum of two that are not below zero.
    fileprivate func addingClamped(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}

import Basics
import OTLP

/// What a model call used, as MLflow wants it: input, output and total always, whole and never negative.
struct TokenCounts: Equatable {
    var input: Int64
    var output: Int64
    var total: Int64
    var cacheRead: Int64?
    var cacheCreation: Int64?

    /// Nil where neither input nor output is known, or all counts are 0, as some emitters write what they do not know; one
    /// that is missing is made up for.
    init?(input: Int64?, output: Int64?, total: Int64?) {
        guard input != nil || output != nil, [input, output, total].contains(where: { $0 ?? 0 != 0 }) else {
            return nil
        }
        self.input = input ?? 0
        self.output = output ?? 0
        let sum = self.input.addingReportingOverflow(self.output)
        self.total = total ?? (sum.overflow ? .max : sum.partialValue)
    }

    /// Adds tokens that the total holds and neither input nor output: cached ones to the input, those of reasoning to the
    /// output.
    mutating func includeBuckets(reasoning: Int64?) {
        let sum = input.addingReportingOverflow(output)
        guard !sum.overflow, total > sum.partialValue else { return }
        let missing = total - sum.partialValue
        let cached = (cacheRead ?? 0).addingReportingOverflow(cacheCreation ?? 0)
        let buckets = cached.partialValue.addingReportingOverflow(reasoning ?? 0)
        guard !cached.overflow, !buckets.overflow else { return }
        if missing == reasoning {
            output += missing
        } else if missing == cached.partialValue {
            input += missing
        } else if missing == buckets.partialValue {
            input += cached.partialValue
            output += reasoning ?? 0
        }
    }

    /// Adds cached tokens to the input where the emitter left them out.
    ///
    /// MLflow prices input − read − creation, so an input below the sum can only be one that leaves them out.
    mutating func includeCache(excluded: Bool) {
        let cached = (cacheRead ?? 0).addingReportingOverflow(cacheCreation ?? 0)
        guard !cached.overflow, excluded || cached.partialValue > input else { return }
        let sum = input.addingReportingOverflow(cached.partialValue)
        let all = sum.partialValue.addingReportingOverflow(output)
        guard !sum.overflow, !all.overflow else { return }
        input = sum.partialValue
        total = max(total, all.partialValue)
    }

    /// Writes the counts as a structured value.
    func write(to builder: inout ValueBuilder) {
        builder.flatList(atMost: 5 * 64) { list in
            list.member("input_tokens", int: input)
            list.member("output_tokens", int: output)
            list.member("total_tokens", int: total)
            if let cacheRead { list.member("cache_read_input_tokens", int: cacheRead) }
            if let cacheCreation { list.member("cache_creation_input_tokens", int: cacheCreation) }
        }
    }
}

/// What a model call cost, in the currency of the emitter; all three are finite.
struct CallCost: Equatable {
    let input: Double
    let output: Double
    let total: Double

    /// Nil where input or output is missing; a missing total is their sum.
    init?(input: Double?, output: Double?, total: Double?) {
        guard let input, let output, input.isFinite, output.isFinite else { return nil }
        let total = total ?? input + output
        guard total.isFinite else { return nil }
        self.input = input
        self.output = output
        self.total = total
    }

    /// Writes the cost as a structured value.
    func write(to builder: inout ValueBuilder) {
        let list = builder.beginKeyValueList()
        builder.member("input_cost", double: input)
        builder.member("output_cost", double: output)
        builder.member("total_cost", double: total)
        builder.end(list)
    }
}

extension AttributeValue {
    /// A count, also from a number with a fraction of zero or a text of digits; nil for anything else and below zero.
    func count(in bytes: RawSpan) -> Int64? {
        let count: Int64? =
            switch self {
            case .int(let value): value
            case .double(let value): Int64(exactly: value.rounded())
            case .string(let range): range.count <= 32 ? Self.count(bytes.text(range)) : nil
            case .empty, .bool, .bytes, .array, .keyValueList: nil
            }
        return count.flatMap { $0 < 0 ? nil : $0 }
    }

    /// A finite number, also from text.
    func number(in bytes: RawSpan) -> Double? {
        let number: Double? =
            switch self {
            case .int(let value): Double(value)
            case .double(let value): value
            case .string(let range): range.count <= 32 ? Double(bytes.text(range)) : nil
            case .empty, .bool, .bytes, .array, .keyValueList: nil
            }
        return number.flatMap { $0.isFinite ? $0 : nil }
    }

    /// A count from its text.
    static func count(_ text: String) -> Int64? {
        if let whole = Int64(text) { return whole }
        return Double(text).flatMap { $0.isFinite ? Int64(exactly: $0.rounded()) : nil }
    }
}

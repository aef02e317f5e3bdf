import OTLP

/// What something used, as far as two spans that tell of the same agree.
struct SpentTokens: Hashable {
    var input: Int64 = 0
    var output: Int64 = 0

    static func + (left: SpentTokens, right: SpentTokens) -> SpentTokens {
        SpentTokens(input: left.input &+ right.input, output: left.output &+ right.output)
    }
}

/// What the spans below one parent used so far, as time goes on, and which of it a record told of already.
struct SpentLedger {
    /// By the span right below the parent: what it and all below it used and no record told of.
    private var open: [Int: SpentTokens] = [:]
    /// The spans that had such a sum, the last one last; those whose sum is another by now are passed over.
    private var spansBySum: [SpentTokens: [Int]] = [:]
    private var total = SpentTokens()
    private var calls = 0

    /// Adds one call of a model: the span right below the parent, or one below that.
    mutating func add(_ spent: SpentTokens, of span: Int) {
        let sum = (open[span] ?? SpentTokens()) + spent
        open[span] = sum
        spansBySum[sum, default: []].append(span)
        total = total + spent
        calls += 1
    }

    /// Whether a record says only what one of the spans used, which is told of then, or what several calls used together.
    mutating func isRepeated(_ record: SpentTokens) -> Bool {
        while let span = spansBySum[record]?.popLast() {
            guard open[span] == record else { continue }
            open[span] = nil
            return true
        }
        return calls > 1 && total == record
    }
}

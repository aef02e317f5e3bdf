import Basics

/// What mapping found out about one span, for the processors after it.
package struct MappedSpan: Sendable, Equatable {
    /// Its MLflow span type, such as `CHAT_MODEL`; nil where nothing decided one.
    package var type: String?
    /// All tokens of the model call; nil where none were reported.
    package var tokens: Int64?
    /// What the model call cost, in the currency of the emitter; nil where none was reported.
    package var cost: Double?

    package init(type: String? = nil, tokens: Int64? = nil, cost: Double? = nil) {
        self.type = type
        self.tokens = tokens
        self.cost = cost
    }
}

/// What mapping found out about the spans of one request, by position.
///
/// Types are kept as numbers, because spans of one request have few.
package struct MappedSpans: RandomAccessCollection, Sendable {
    /// The names of types: those of the rules, behind them those that the app wrote; a name may stand there several times.
    private var names: [String]
    /// By span: a position in `names`; -1 where nothing decided a type.
    private var types: [Int32]
    /// By span; -1 where none were reported.
    private var tokens: [Int64]
    /// By span, of the few that have one.
    private var costs: [Int32: Double] = [:]

    /// - Parameters:
    ///   - count: How many spans there are.
    ///   - names: The names of the types that rules give.
    package init(count: Int = 0, names: [String] = []) {
        self.names = names
        types = [Int32](filledWith: -1, count: count)
        tokens = [Int64](filledWith: -1, count: count)
    }

    package var startIndex: Int { 0 }
    package var endIndex: Int { types.count }

    package subscript(span: Int) -> MappedSpan {
        MappedSpan(
            type: type(of: span).map { names[$0] },
            tokens: tokens[span] < 0 ? nil : tokens[span],
            cost: cost(of: span)
        )
    }

    /// The type of a span as a position among the names; nil where nothing decided one.
    package func type(of span: Int) -> Int? { types[span] < 0 ? nil : Int(types[span]) }

    /// Gives a span the type whose name stands there among those of the rules.
    package mutating func setType(_ type: Int, of span: Int) { types[span] = Int32(truncatingIfNeeded: type) }

    /// Gives a span a type that its app wrote; every span may have another one, so that it is not looked for.
    package mutating func setType(named name: String, of span: Int) {
        if names.last != name { names.append(name) }
        setType(names.count - 1, of: span)
    }

    private func cost(of span: Int) -> Double? {
        costs.isEmpty ? nil : costs[Int32(truncatingIfNeeded: span)]
    }

    /// Notes what a model call cost.
    package mutating func setCost(_ cost: Double, of span: Int) { costs[Int32(truncatingIfNeeded: span)] = cost }

    /// Notes the tokens of a model call, none of them below zero.
    package mutating func setTokens(_ count: Int64?, of span: Int) { tokens[span] = count ?? -1 }
}

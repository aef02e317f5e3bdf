/// The plans of the kinds of spans that were seen lately.
///
/// Never changed, so that all threads can share one.
final class PlanSet: Sendable {
    /// How many are kept: one instrumentation makes spans of few kinds.
    private static let countMax = 16

    static let empty = PlanSet([], [])

    let plans: [SpanPlan]
    /// By pair of plans: how many of their first keys are the same.
    private let shared: [Int]

    private init(_ plans: [SpanPlan], _ shared: [Int]) {
        self.plans = plans
        self.shared = shared
    }

    /// How many of the first keys of two plans are the same.
    func keysShared(_ first: Int, _ second: Int) -> Int { shared[first * plans.count + second] }

    /// The set with one plan more, the last one; the first one goes where there are too many.
    ///
    /// Only the new one is compared with the others.
    func adding(_ plan: SpanPlan) -> PlanSet {
        let kept = plans.indices.suffix(Self.countMax - 1)
        let new = kept.map { plans[$0].keysShared(with: plan) }
        let old = kept.enumerated().flatMap { index, first in kept.map { keysShared(first, $0) } + [new[index]] }
        return PlanSet(plans[kept] + [plan], old + new + [plan.keys.count])
    }
}

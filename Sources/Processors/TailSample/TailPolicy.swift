import Basics
import Conditions
import Settings

/// A policy, ready to be asked.
struct TailPolicy: Sendable {
    /// What it does with the traces that it is asked for.
    enum Kind: Sendable {
        /// Positions of conditions of the sampler's matcher.
        case drop(Int)
        case keep(Int)
        case rare(RareTraces)
        case share(SamplingRatio)
        case rate(SamplingRate)
    }

    let name: String
    /// The position of its condition; nil for all traces.
    let when: Int?
    let kind: Kind

    /// - Parameters:
    ///   - settings: What it is to do.
    ///   - conditions: Those of the policies before; its own are added.
    /// - Throws: What is wrong with its conditions.
    init(_ settings: TailPolicySettings, _ conditions: inout [TraceCondition]) throws(DocumentProblems) {
        name = settings.name
        func add(_ node: JSONNode, _ conditions: inout [TraceCondition]) throws(DocumentProblems) -> Int {
            conditions.append(try TraceCondition(decoding: node))
            return conditions.count - 1
        }
        if let node = settings.when { when = try add(node, &conditions) } else { when = nil }
        if let node = settings.drop {
            kind = .drop(try add(node, &conditions))
        } else if let node = settings.keep {
            kind = .keep(try add(node, &conditions))
        } else if let rare = settings.rare {
            kind = .rare(RareTraces(rare))
        } else if let rate = settings.rate {
            kind = .rate(SamplingRate(perSecond: rate))
        } else {
            kind = .share(SamplingRatio(settings.ratio ?? 0, .equalizing, precision: 4))
        }
    }

    var isDrop: Bool { if case .drop = kind { true } else { false } }
}

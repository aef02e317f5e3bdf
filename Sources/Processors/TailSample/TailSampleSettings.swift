package import Basics
import Conditions
package import Pipeline
package import Settings

/// The settings of `tail_sample`.
package struct TailSampleSettings: Sendable {
    /// How traces are put together.
    package var assemble: AssembleSettings
    /// In the order of the file.
    package var policies: [TailPolicySettings] = []
    /// Whether ratios are drawn by session, where a trace has one.
    package var sessions = false

    package init() {
        assemble = AssembleSettings()
        // Of traces of which it is certain that they are kept.
        assemble.showAfter = .seconds(2)
        assemble.window.showsOnlyKept = true
        assemble.window.afterRoot = .seconds(12)
        assemble.window.remember = .seconds(6 * 3600)
    }
}

/// One policy of `tail_sample`.
package struct TailPolicySettings: Sendable {
    package var name = ""
    /// Which traces it is asked for; nil for all.
    package var when: JSONNode?
    package var keep: JSONNode?
    package var drop: JSONNode?
    /// From 0 to 1.
    package var ratio: Double?
    /// Traces a second.
    package var rate: Double?
    package var rare: RareSettings?

    package init() {}
}

/// How many traces of each kind are kept in a while.
package struct RareSettings: Sendable, Equatable {
    package var first = 10
    package var window = Duration.seconds(3600)

    package init() {}

    static let shape = Shape(
        "Keeps the first traces of each experiment, root name, set of models and set of tools.",
        RareSettings(),
        [
            Field("first", \.first, .integer(1...1_000_000), "How many of each in `window`.", required: true),
            Field(
                "window",
                \.window,
                .duration(.seconds(1)...Duration.seconds(7 * 24 * 3600)),
                "After how long all are counted anew."
            ),
        ]
    )
}

extension TailPolicySettings {
    static let kinds = ["keep", "drop", "ratio", "rate", "rare"]
    private static let nameMax = 64

    static let shape = Shape(
        "What becomes of which traces; one of `keep`, `drop`, `ratio`, `rate` and `rare`.",
        TailPolicySettings(),
        [
            Field(
                "name",
                \.name,
                .text,
                "Under which it counts, and which stands on the traces that it keeps; at most \(nameMax) bytes, and not `\(TailSampler.noPolicy)`.",
                required: true
            ),
            Field("when", optional: \.when, .traceCondition, "Which traces it is asked for; all without."),
            Field("keep", optional: \.keep, .traceCondition, "Traces for which this holds are kept."),
            Field(
                "drop",
                optional: \.drop,
                .traceCondition,
                "Traces for which this holds are dropped, whatever keeps them."
            ),
            Field("ratio", optional: \.ratio, .number(0...1), "The share of traces that is kept."),
            Field(
                "rate",
                optional: \.rate,
                .number(0.001...1_000_000),
                "Traces a second that are kept on average: the share follows from how many came before."
            ),
            Field("rare", optional: \.rare, .group(RareSettings.shape), "Keeps the first traces of each kind."),
            .unavailable("slim"),
        ]
    ) { settings, group, context in
        let given = kinds.filter { group[$0] != nil }
        if given.count != 1 {
            let several = "a policy has one of them, not \(given.joined(separator: " and "))"
            let what = given.isEmpty ? "a policy says nothing" : several
            context.report("\(what); allowed: one of \(kinds.joined(separator: ", "))", at: group.offset)
        }
        if settings.name.utf8.count > nameMax || settings.name == TailSampler.noPolicy {
            let allowed = "a text of at most \(nameMax) bytes other than \(TailSampler.noPolicy)"
            let what = "\(quoted(settings.name)) cannot be the name of a policy"
            context.report("\(what); allowed: \(allowed)", at: group.offset)
        }
    }
}

extension TailSampleSettings: ProcessorSettings {
    private static let policiesMax = 64

    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Decides about whole traces which of them are kept: waits as `assemble` does, and puts together as it does what is kept. "
            + "A trace is dropped where a `drop` policy holds; else kept where a `keep` or a `rare` one does; else the share decides that "
            + "keeps most of those that are asked (`ratio`, `rate`), on one random number for each trace, so that every machine with the "
            + "same share keeps the same traces. What no policy is asked for is dropped, unless all policies are of `drop`. The root of a trace that is kept "
            + "gets `millrace.sampling.policy` and `millrace.sampling.adjusted_count`: how many traces it stands for.",
        TailSampleSettings(),
        own + assembling + refused
    ) { settings, group, context in
        let policies = group["policies"]?.elements ?? []
        let names = settings.policies.map(\.name)
        if let node = group["policies"], node.elements != nil, policies.count > policiesMax || policies.isEmpty {
            let offset = node.offset
            context.report("\(policies.count) policies; allowed: from 1 to \(policiesMax)", at: offset)
        }
        if let twice = names.first(where: { name in names.filter { $0 == name }.count > 1 }) {
            let offset = group["policies"]?.offset ?? group.offset
            context.report("two policies have the name \(quoted(twice)); each has one of its own", at: offset)
        }
    }

    private static let own: [Field<TailSampleSettings>] = [
        Field(
            "policies",
            \.policies,
            .array(of: TailPolicySettings.shape),
            "In order: of several that hold, the first one counts. At most \(policiesMax).",
            required: true
        ),
        Field(
            "sessions",
            \.sessions,
            .flag,
            "Whether ratios are drawn by the attribute `session.id`, where a span of the trace has one, so that sessions are kept whole."
        ),
    ]

    private static let assembling: [Field<TailSampleSettings>] = AssembleSettings.shape.fields
        .filter { $0.name != "show_after" }.map { $0.at(\.assemble) }

    private static let refused: [Field<TailSampleSettings>] = [
        .refused("show_after", "is a setting of assemble: a trace is shown once it is certain that it is kept"),
        .unavailable("regret"),
    ]

    package var conditions: [String] { [] }
    package var isWindowed: Bool { true }
    package var latePeriod: Duration { assemble.latePeriod }

    package func makeProcessor(named name: String) -> (any SpanProcessor)? { nil }

    package func makeWindow(
        named name: String,
        mapping: [any SpanProcessor],
        routing: [any SpanProcessor]
    ) -> (any WindowedProcessor)? {
        guard let sampler = try? TailSampler(name: name, settings: self) else { return nil }
        return Assemble(settings: assemble, processors: mapping + routing, sampler: sampler)
    }
}

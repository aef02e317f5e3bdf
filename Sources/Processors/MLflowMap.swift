package import Basics
import MLflow
package import OTLP
package import Pipeline
package import Settings

/// The settings of `mlflow_map`.
package struct MLflowMapSettings: Sendable {
    /// The conventions to read, by their names in `MappingRules.conventionNames`; empty for all.
    package var conventions: [String] = []
    /// The user's rule documents, the first winning; each has the groups of `RuleDocument`.
    package var rules: [JSONNode] = []
    /// Whether attributes that were mapped also stay as they came.
    package var keepSource = true

    package init() {}
}

extension MLflowMapSettings: ProcessorSettings {
    package var conditions: [String] { [] }
    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Gives spans of every GenAI convention the attributes that MLflow shows: type, inputs, outputs, tokens, session, user.",
        MLflowMapSettings(),
        [
            Field(
                "conventions",
                \.conventions,
                .list(of: .word(among: MappingRules.conventionNames)),
                "Conventions to read; where none is named, all of them."
            ),
            Field(
                "rules",
                \.rules,
                .rules,
                "Rules of your own, which win over the built-in ones: see Rules for a framework of your own."
            ),
            Field("keep_source", \.keepSource, .flag, "Whether attributes that were mapped also stay as they came."),
        ],
        check: { settings, group, context in
            guard let rules = group["rules"], !context.hasError(in: "rules") else { return }
            do throws(DocumentProblems) {
                _ = try MLflowMap(name: "", settings: settings)
            } catch {
                context.within("rules") { context in
                    for problem in error.list { context.report(problem.message, at: rules.offset) }
                }
            }
        }
    )

    package var isOfWholeTraces: Bool { true }
    package var inEffect: [String: [String]] {
        ["conventions": conventions.isEmpty ? MappingRules.conventionNames : conventions]
    }

    package func makeProcessor(named name: String) throws -> (any SpanProcessor)? {
        try MLflowMap(name: name, settings: self)
    }
}

/// Gives spans of every GenAI convention the attributes that MLflow shows.
package struct MLflowMap: SpanProcessor {
    private let name: String
    private let rules: MappingRules
    private let settings: SpanMapper.Settings
    private let mappers = Pool<SpanMapper>()

    /// - Parameters:
    ///   - name: The processor's key in the pipeline file, under which it counts.
    ///   - settings: What it is to do.
    /// - Throws: What is wrong with the user's rules; offsets and pointers are those inside `rules`.
    package init(name: String, settings: MLflowMapSettings) throws(DocumentProblems) {
        self.name = name
        var documents: [RuleDocument] = []
        for node in settings.rules { documents.append(try RuleDocument(userRules: node)) }
        rules = try MappingRules(
            conventions: settings.conventions.isEmpty ? nil : settings.conventions,
            user: documents
        )
        var mapping = SpanMapper.Settings()
        mapping.keepsSource = settings.keepSource
        self.settings = mapping
    }

    package func process(_ work: inout SpanWork) {
        let budget = work.mappingBudget
        let outcome = mappers.use(make: { SpanMapper(rules: rules, settings: settings) }) { mapper in
            mapper.map(&work.batch, within: budget)
        }
        work.account.add(steps: outcome.steps)
        work.mapped = outcome.spans
        work.tally.add(outcome.mappedSpans, .mapped, by: name)
        work.tally.add(outcome.repairedSpans, .repaired, by: name)
        work.tally.add(outcome.droppedSpans, .removed(.filtered), by: name)
        work.tally.add(outcome.unmappedSpans, .unmapped, by: name)
    }

    /// Maps like `process` and tells every decision, for people who ask why.
    package func explain(_ work: inout SpanWork) -> [AttributeDecision] {
        var mapper = SpanMapper(rules: rules, settings: settings)
        let budget = work.mappingBudget
        let outcome = mapper.map(&work.batch, within: budget, explaining: true)
        work.mapped = outcome.spans
        return outcome.decisions ?? []
    }
}

extension SpanWork {
    /// What mapping may cost of what the request may cost: half of the steps that are left, so that what it leaves as it
    /// came does not end as a refusal of the whole request.
    fileprivate var mappingBudget: MappingBudget {
        mutating get {
            MappingBudget(bytesMax: addedMax - batch.addedBytes, stepsMax: account.stepsLeft / 2)
        }
    }
}

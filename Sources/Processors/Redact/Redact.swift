import Basics
import Conditions
import OTLP
package import Pipeline
import Settings

/// Takes secrets and personal data out of every text of a request.
///
/// The request is written anew with something else in their place, and indexed anew, so that no processor behind it and
/// nothing that is written ever holds them. A request in which nothing is found stays as it is, byte for byte.
package struct Redact: NotingProcessor {
    private let name: String
    private let plan: RedactionPlan
    private let redactors = Pool<TextRedactor>()

    /// - Parameters:
    ///   - name: The processor's key in the pipeline file, under which it counts.
    ///   - settings: What it is to do.
    /// - Throws: What is wrong with a pattern.
    init(name: String, settings: RedactSettings) throws(PatternError) {
        self.name = name
        var patterns: [(name: String, expression: RegularExpression)] = []
        for pattern in settings.patterns { patterns.append((pattern.name, try RegularExpression(pattern.match))) }
        plan = RedactionPlan(
            detectors: settings.detectorsInEffect,
            keys: settings.keys.map { Glob.ignoringCase($0) },
            patterns: patterns,
            insideJSON: settings.insideJSON,
            media: settings.media,
            budget: settings.budget.bytes,
            stand: Replacement(
                template: settings.with,
                hash: settings.hash.map { (Array($0.key.text.utf8), $0.keyID) }
            ),
            labels: RedactionLabels(patterns: settings.patterns.map(\.name))
        )
    }

    package func run(_ work: inout SpanWork, _ notes: inout [SpanNote]?) {
        var request = RequestRedaction(plan, growthMax: work.addedMax, isNoting: notes != nil)
        let stepsLeft = work.account.stepsLeft
        let steps = redactors.use(make: { TextRedactor(plan) }) { redactor in
            let before = redactor.steps
            do throws(WireError) {
                try request.run(work.batch, &redactor, stepsEnd: before + stepsLeft)
            } catch {
                work.refuse(error)
            }
            return redactor.steps - before
        }
        work.account.add(steps: steps)
        if steps > stepsLeft { work.refuse(.steps(limit: work.account.stepsMax)) }
        if request.isOverGrowth { work.refuse(.written(limit: work.account.writtenMax)) }
        work.rewrite(request.edits)
        for (index, count) in request.counts.enumerated() where count > 0 {
            let detector = plan.labels.names[index / TextPlace.allCases.count]
            let place = TextPlace.allCases[index % TextPlace.allCases.count]
            work.tally.add(count, .redacted(detector: detector, place: place), by: name)
        }
        notes? += noted(request.findings ?? [], in: work.batch, plan.labels)
    }
}

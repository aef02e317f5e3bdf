import Basics
import Conditions
import OTLP
package import Pipeline
import Settings

/// Takes secrets and personal data out of every text of a request.
///
/// The request is written anew with something else in their place, and indexed anew, so that no processor behind it and
/// nothing that is written ever holds them. A request in which nothing is found stays as it is, byte for byte.
package struct Redact: ExplainableProcessor {
    private let name: String
    private let plan: RedactionPlan
    private let redactors = Pool<TextRedactor>()

    /// - Parameters:
    ///   - name: The processor's key in the pipeline file, under which it counts.
    ///   - settings: What it is to do.
    /// - Throws: What is wrong with a pattern.
    init(name: String, settings: RedactSettings) throws(PatternError) {
        self.name = name
        var detectors = Set(Detector.allCases.filter(\.isUsual))
        for choice in settings.detectors {
            guard let detector = Detector(named: choice.name) else { continue }
            if choice.value { detectors.insert(detector) } else { detectors.remove(detector) }
        }
        var patterns: [(name: String, expression: RegularExpression)] = []
        for pattern in settings.patterns { patterns.append((pattern.name, try RegularExpression(pattern.match))) }
        plan = RedactionPlan(
            detectors: detectors,
            keys: settings.keys.map { Glob($0) },
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

    package func process(_ work: inout SpanWork) {
        var findings: [RedactionFinding]?
        redact(&work, &findings)
    }

    package func process(_ work: inout SpanWork, noting notes: inout [SpanNote]) {
        var findings: [RedactionFinding]? = []
        redact(&work, &findings)
        notes += noted(findings ?? [], in: work.batch, plan.labels)
    }

    private func redact(_ work: inout SpanWork, _ findings: inout [RedactionFinding]?) {
        let limits = WireLimits(indexBytesMax: max(0, work.account.heldMax))
        var excess: CostExcess?
        redactors.use(make: { TextRedactor(plan) }) { redactor in
            let before = redactor.steps
            var request = RequestRedaction(redactor, growthMax: work.addedMax, stepsMax: work.account.stepsLeft)
            request.findings = findings
            do throws(WireError) {
                if let batch = try work.batch.replacingTexts(by: &request, limits: limits) {
                    work.addedMax -= max(0, batch.bytes.count - work.batch.bytes.count)
                    work.replaceBatch(batch)
                }
            } catch {
                // The index of what is written is over its limit.
                excess = .written(limit: work.account.writtenMax)
            }
            if request.isOver {
                excess =
                    request.isOverSteps
                    ? .steps(limit: work.account.stepsMax) : .written(limit: work.account.writtenMax)
            }
            redactor = request.redactor
            findings = request.findings
            work.account.add(steps: redactor.steps - before)
            for (index, count) in request.counts.enumerated() where count > 0 {
                let detector = plan.labels.names[index / TextPlace.allCases.count]
                let place = TextPlace.allCases[index % TextPlace.allCases.count]
                work.tally.add(count, .redacted(detector: detector, place: place), by: name)
            }
        }
        if let excess { work.refuse(excess) }
    }
}

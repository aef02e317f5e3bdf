import Basics
import MLflow
import OTLP
import Pipeline
import Settings

/// What became of one request in a dry run.
package struct DryRunResult: Sendable {
    let pipeline: String
    /// Where the spans that stay would go.
    let exporters: [String]
    /// In the order of the request.
    let spans: [DryRunSpan]
    /// Why the whole request is answered 403; nil where it is not.
    let refusal: String?

    /// Spans that would reach the journal.
    var kept: Int { refusal == nil ? spans.count { $0.removal == nil } : 0 }
}

/// What became of one span in a dry run.
struct DryRunSpan: Sendable {
    /// What a processor did to it.
    struct Step: Sendable {
        let processor: String
        let type: String
        let findings: [Finding]
    }

    /// One thing that a processor did, and the value that it left.
    struct Finding: Sendable {
        let finding: SpanNote.Finding
        let value: JSON?
        /// Whether it is about an event of the span instead of an attribute.
        let isEvent: Bool
    }

    private(set) var name: String
    let spanID: SpanID
    let traceID: TraceID
    /// The resource's `service.name`.
    private(set) var service: String?
    /// Why it is refused before any processor; nil for a valid one.
    let flaw: SpanFlaw?
    /// What was done to it, in order; nothing after it was taken out.
    var steps: [Step] = []
    /// Why it was taken out and by which processor, `receiver` for an invalid one; nil while it stays.
    var removal: (reason: Removal, processor: String)?
    var route = Route.none
    /// Whether it is one of those that are looked for.
    var isLookedFor = true
    /// What it has in the end; of one that was taken out, what it had before.
    var view: SpanView
    /// What it had before the processors that are listed ran; what redaction took out is in neither.
    private(set) var arrived: SpanView
    /// Its place in its trace and in time.
    let head: Head

    /// What only the span itself says, and no processor changes.
    struct Head: Sendable {
        let parentID: SpanID?
        /// Nanoseconds since 1970.
        let start: UInt64
        let end: UInt64
        let isError: Bool
    }

    init(_ batch: SpanBatch, _ span: Int, explained isExplained: Bool = true) {
        let entry = batch.spans[span]
        name = batch.text(entry.name)
        spanID = entry.spanID
        traceID = entry.traceID
        let resource = batch.resources[batch.scopes[entry.scope].resource]
        let key = batch.attribute("service.name", in: resource.attributes)
        service = key.flatMap { key in
            guard case .string(let range) = batch.value(of: key) else { return nil }
            return batch.text(range)
        }
        flaw = entry.flaw
        view = isExplained ? SpanView(batch, span) : SpanView()
        arrived = view
        head = Head(parentID: entry.parentID, start: entry.start, end: entry.end, isError: entry.statusCode == 2)
        if flaw != nil { removal = (.invalid, "receiver") }
    }

    /// Takes what is shown of the request from what it became.
    mutating func reread(_ batch: SpanBatch, _ span: Int, explained isExplained: Bool) {
        let now = DryRunSpan(batch, span, explained: isExplained)
        (name, service, view, arrived) = (now.name, now.service, now.view, now.view)
    }

    /// The conventions whose rules did something, in order.
    var conventions: [String] { conventions { !$0.isIgnored } }

    /// The conventions of which there are attributes, but none of whose rules did anything.
    var ignoredConventions: [String] {
        let used = conventions
        return conventions(where: \.isIgnored).filter { !used.contains($0) }
    }

    private func conventions(where isWanted: (AttributeDecision) -> Bool) -> [String] {
        var names: [String] = []
        for finding in steps.flatMap(\.findings) {
            guard case .changed(let decision) = finding.finding, isWanted(decision), let name = decision.convention,
                !names.contains(name)
            else { continue }
            names.append(name)
        }
        return names
    }
}

extension AttributeDecision {
    /// The convention of its rule, `CONVENTION.RULE`; nil for what is done without one, such as to the app's own attributes.
    fileprivate var convention: String? { rule.firstIndex(of: ".").map { String(rule[..<$0]) } }

    fileprivate var isIgnored: Bool {
        guard case .ignored = action else { return false }
        return true
    }
}

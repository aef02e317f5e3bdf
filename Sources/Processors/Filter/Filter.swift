import Basics
import Conditions
import MLflow
package import OTLP
package import Pipeline
package import Settings

/// The settings of `filter`.
package struct FilterSettings: Sendable {
    /// What becomes of the spans below one that is dropped.
    enum Children: String, Sendable {
        /// They get the nearest span above that stays as their parent.
        case reparent
        /// They go with it.
        case drop
        /// They keep the parent that is gone.
        case keep
    }

    /// What goes; nil where `keep` says what stays.
    var drop: JSONNode?
    /// What stays; nil where `drop` says what goes.
    var keep: JSONNode?
    var children = Children.reparent

    package init() {}
}

extension FilterSettings: ProcessorSettings {
    package var signals: Set<Signal> { Set(Signal.allCases) }
    package var conditions: [String] { ["drop", "keep"] }

    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Drops spans, log records and metrics by a condition, and keeps the tree of a trace connected: as far as it is in one request, and of all requests where the pipeline has `assemble` behind it and `children` is `reparent`. Links to spans that go stay as they are. It belongs before `mlflow_map`, "
            + "which then names the trace after the root that is left; behind it, conditions see `span_type` and `tokens` of every span, and what was said of a "
            + "dropped root is gone.",
        FilterSettings(),
        [
            Field("drop", optional: \.drop, .condition, "What is dropped."),
            Field(
                "keep",
                optional: \.keep,
                .condition,
                "In place of `drop`: what is kept; everything else is dropped."
            ),
            Field(
                "children",
                \.children,
                .choice(["reparent": .reparent, "drop": .drop, "keep": .keep]),
                "What becomes of the spans below one that is dropped: `reparent` gives them the nearest one above that stays, `drop` drops those of the same request too, and one that comes with another request stays, `keep` "
                    + "leaves them as they are. A span that takes the place of a dropped root gets its times, its error and its exceptions; where several "
                    + "would, the root stays without its attributes and its other events. Links to dropped spans stay as they came."
            ),
        ],
        check: { settings, group, context in
            guard (settings.drop == nil) == (settings.keep == nil) else { return }
            let what =
                settings.drop == nil
                ? "a condition is missing; one of \"drop\" and \"keep\" is needed"
                : "only one of \"drop\" and \"keep\" is allowed"
            context.report(what, at: group.offset)
        }
    )

    package var readsMapping: Bool { true }

    package func makeProcessor(named name: String) throws -> (any SpanProcessor)? {
        try Filter(name: name, settings: self)
    }
}

/// Drops units by a condition; of spans it keeps the tree connected.
package struct Filter: SpanProcessor {
    private let name: String
    /// The condition, copied for each request.
    private let matcher: ConditionMatcher?
    /// Whether units for which the condition holds go, or the others.
    let dropsMatches: Bool
    private let children: FilterSettings.Children

    /// - Parameters:
    ///   - name: The processor's key in the pipeline file, under which it counts.
    ///   - settings: What it is to do.
    /// - Throws: What is wrong with the condition; offsets and pointers are those inside it.
    init(name: String, settings: FilterSettings) throws(DocumentProblems) {
        self.name = name
        dropsMatches = settings.drop != nil
        children = settings.children
        if let node = settings.drop ?? settings.keep {
            matcher = ConditionMatcher([try Condition(decoding: node)])
        } else {
            matcher = nil
        }
    }

    package func process(_ work: inout SpanWork) {
        filter(&work) { _, _ in }
    }

    /// Why a unit goes, or what becomes of it because others do.
    enum Effect: Equatable {
        /// The condition drops it.
        case dropped
        /// A span above it is dropped.
        case droppedWithParent
        /// It gets another parent; nil where it becomes a root.
        case reparented(SpanID?)
        /// It stays for those below it, without what it held.
        case thinned
    }

    /// Drops what is to go, and tells what was done.
    func filter(_ work: inout SpanWork, _ tell: (Int, Effect) -> Void) {
        var matcher = matcher
        var fates = [Fate](repeating: .gone, count: work.batch.unitCount)
        var dropped = 0
        for unit in fates.indices where work.batch.removal(of: unit) == nil {
            let isDropped = work.satisfies(&matcher, unit) == dropsMatches
            fates[unit] = isDropped ? .dropped : .kept
            if isDropped { dropped += 1 }
        }
        work.account.add(steps: matcher?.steps ?? 0)
        guard dropped > 0 else { return }
        // Roots whose place another span of the request takes.
        var taken: Set<Int> = []
        if work.batch.signal == .traces, children != .keep {
            work.account.add(steps: 2 * fates.count)
            var lineage = Lineage(of: work.batch, fates)
            switch children {
            case .drop: fates = lineage.droppingDescendants()
            case .reparent, .keep: taken = reconnect(&lineage, &fates, &work, tell)
            }
        }
        for unit in fates.indices {
            switch fates[unit] {
            case .dropped: tell(unit, .dropped)
            case .droppedWithParent: tell(unit, .droppedWithParent)
            case .kept, .gone: continue
            }
            if work.batch.signal == .traces, children == .reparent {
                leaveTombstone(of: unit, isTaken: taken.contains(unit), &work)
            }
            work.batch.remove(unit, as: .filtered)
        }
        work.tally.add(
            fates.count { $0 == .dropped || $0 == .droppedWithParent },
            .removed(.filtered),
            by: name
        )
    }

    /// What is left of a dropped span, for spans of other requests.
    private func leaveTombstone(of span: Int, isTaken: Bool, _ work: inout SpanWork) {
        guard work.leavesTombstones else { return }
        let (entry, link) = (work.batch.spans[span], work.batch.parentLink(of: span))
        var tombstone = Tombstone(entry.spanID, parent: link.id, isParentRemote: link.isRemote)
        if link.id == nil || link.isRemote, !isTaken { tombstone.remains = RootRemains(of: span, in: work.batch) }
        work.leave(tombstone, in: entry.traceID)
    }

    /// Says which roots have spans in their place.
    private func reconnect(
        _ lineage: inout Lineage,
        _ fates: inout [Fate],
        _ work: inout SpanWork,
        _ tell: (Int, Effect) -> Void
    ) -> Set<Int> {
        let plan = lineage.reconnection()
        for top in plan.thinned {
            fates[top] = .kept
            work.batch.thin(top)
            tell(top, .thinned)
        }
        for (span, link) in plan.links { tell(span, .reparented(link.id)) }
        work.batch.setParents(plan.links)
        var taken: Set<Int> = []
        for (heir, top) in plan.heirs where work.batch.addedBytes + work.batch.spans[top].size <= work.addedMax {
            work.batch.inherit(RootRemains(of: top, in: work.batch), to: heir)
            taken.insert(top)
        }
        return taken
    }
}

extension SpanBatch {
    /// Takes everything out of a span but what makes it a part of the tree, its times, its status and its exceptions.
    fileprivate mutating func thin(_ span: Int) {
        for attribute in spans[span].attributes { removeAttribute(attribute) }
        for event in spans[span].events where !equals("exception", events[event].name) { removeEvent(event) }
    }
}

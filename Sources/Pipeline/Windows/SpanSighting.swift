import Basics
package import OTLP

/// What a window needs to know of a span that was stored.
package struct SpanSighting: BitwiseCopyable, Sendable, Equatable {
    package let id: SpanID
    /// Nil for a root.
    package let parent: SpanID?
    /// Whether its flags say that its parent is in another process; false where they do not say so.
    package let isParentRemote: Bool

    package init(_ id: SpanID, parent: SpanID?, isParentRemote: Bool = false) {
        self.id = id
        self.parent = parent
        self.isParentRemote = isParentRemote
    }
}

extension SpanBatch {
    /// What a window needs to know of the spans that are still in; empty for another signal.
    package var sightings: [SpanSighting] {
        var sightings: [SpanSighting] = []
        sightings.reserveCapacity(spans.count)
        for index in spans.indices where removal(of: index) == nil {
            let span = spans[index]
            sightings.append(SpanSighting(span.spanID, parent: span.parentID, isParentRemote: span.isParentRemote))
        }
        return sightings
    }
}

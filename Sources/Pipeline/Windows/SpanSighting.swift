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

extension SpanSighting {
    /// What a window needs to know of the spans of a stored request.
    package static func all(in request: [UInt8]) -> [SpanSighting] {
        SpanHead.all(in: request).map { SpanSighting($0.id, parent: $0.parent, isParentRemote: $0.isParentRemote) }
    }
}

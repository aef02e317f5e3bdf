/// A per-span processor: changes, removes or routes the spans of one request before they are journaled.
///
/// Runs on the event loop that received the request, several requests at once on several loops: it holds no state, or
/// locks it internally for moments only. It never blocks and never fails; what it cannot do it leaves, and counts.
package protocol SpanProcessor: Sendable {
    /// Works on every span of the request that no earlier processor removed.
    func process(_ work: inout SpanWork)
}

/// A processor that chooses the routes of whole traces, and can tell of a request where its trace may go.
package protocol ForeseeingProcessor: SpanProcessor {
    /// Where the spans may go, each taken for the root of its trace; changes nothing.
    func routes(foreseenFor work: SpanWork) -> Set<Route>
}

/// A per-span processor that chooses routes, of which it knows a bounded number.
package protocol RoutingProcessor: SpanProcessor {
    /// Keeps room for routes that the pipeline file names, whatever clients ask for; called before anything is processed.
    func keepRoom(for routes: Set<Route>)
}

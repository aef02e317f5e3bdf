package import Pipeline

/// A processor whose notes cost something, so that it makes them only where somebody asks.
package protocol NotingProcessor: ExplainableProcessor {
    /// Does what it is to do.
    ///
    /// - Parameters:
    ///   - work: The request.
    ///   - notes: Gets what was done; nil where nobody asks.
    func run(_ work: inout SpanWork, _ notes: inout [SpanNote]?)
}

extension NotingProcessor {
    package func process(_ work: inout SpanWork) {
        var notes: [SpanNote]?
        run(&work, &notes)
    }

    package func process(_ work: inout SpanWork, noting notes: inout [SpanNote]) {
        var own: [SpanNote]? = []
        run(&work, &own)
        notes += own ?? []
    }
}

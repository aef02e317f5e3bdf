import Basics

extension Envelope {
    /// The kept units, bundle by bundle, and where each bundle starts; bundles are in the order of their first units.
    ///
    /// A bundle is what stays together: the spans or log records of one trace. Metrics, and log records without a trace, are
    /// bundles by themselves.
    func bundles() -> (units: [Int32], starts: [Int]) {
        var traces = TraceNumbers()
        var bundleOfTrace: [Int] = []
        var bundles = [Int](repeating: -1, count: unitCount)
        var starts = [0]
        for index in 0..<unitCount where removal(of: index) == nil {
            let unit = unit(index)
            var bundle = starts.count - 1
            if unit.hasTrace {
                let trace = traces.number(of: unit.traceID)
                if trace == bundleOfTrace.count { bundleOfTrace.append(bundle) }
                bundle = bundleOfTrace[trace]
            }
            if bundle + 1 == starts.count { starts.append(0) }
            starts[bundle + 1] += 1
            bundles[index] = bundle
        }
        for bundle in 1..<starts.count { starts[bundle] += starts[bundle - 1] }
        var next = starts
        var ordered = [Int32](repeating: 0, count: starts.last ?? 0)
        for (index, bundle) in bundles.enumerated() where bundle >= 0 {
            ordered[next[bundle]] = Int32(truncatingIfNeeded: index)
            next[bundle] += 1
        }
        return (ordered, starts)
    }
}

import Basics

/// A share of the traces as a threshold: a trace is kept where its randomness is at least that (W3C Trace Context level 2).
struct SamplingRatio: Sendable, Equatable {
    /// How the share relates to what was sampled before.
    enum Mode: String, Sendable {
        /// Of what an application sends unsampled, that share; what it has sampled to as little stays.
        case equalizing
        /// That share of whatever comes.
        case proportional
    }

    /// 2⁵⁶, above every randomness.
    static let whole: UInt64 = 1 << 56

    /// From 0 to 1.
    let share: Double
    private let mode: Mode
    private let precision: Int
    /// Of what was not sampled before; nil where nothing is kept.
    private let own: UInt64?

    /// - Parameters:
    ///   - share: From 0 to 1.
    ///   - mode: How it relates to what was sampled before.
    ///   - precision: Hexadecimal digits of a threshold behind those that are `f`, from 1 to 14.
    init(_ share: Double, _ mode: Mode, precision: Int) {
        self.share = share
        self.mode = mode
        self.precision = precision
        own = Self.threshold(share, precision: precision)
    }

    /// The threshold behind an earlier one, never below it; nil where nothing is kept.
    func threshold(after earlier: UInt64?) -> UInt64? {
        guard let earlier, let own else { return own }
        switch mode {
        case .equalizing: return max(earlier, own)
        case .proportional:
            let before = Double(Self.whole - earlier) / Double(Self.whole)
            return Self.threshold(share * before, precision: precision).map { max(earlier, $0) }
        }
    }

    /// Nil for a share below the smallest that can be written.
    private static func threshold(_ share: Double, precision: Int) -> UInt64? {
        let kept = UInt64((share * Double(whole)).rounded())
        guard kept > 0 else { return nil }
        let exact = whole - min(kept, whole)
        // The lowest 56 bits, the first of them in front.
        let leadingF = (~(exact << 8)).leadingZeroBitCount / 4
        let digits = precision + leadingF
        guard digits < 14 else { return exact }
        let unit: UInt64 = 1 << UInt64(4 * (14 - digits))
        return (exact + unit / 2) / unit * unit
    }
}

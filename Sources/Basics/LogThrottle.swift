/// Keeps what happens often from filling a log: so many lines of a kind in a window of time.
///
/// Holds no clock. Kinds are static: the places of a program that log, or the cases of an enumeration.
package struct LogThrottle<Kind: Hashable & Sendable>: Sendable {
    private struct Window: Sendable {
        var start: Duration
        var lines = 0
        var latest: String?
        var heldBack = 0
    }

    private let linesMax: Int
    private let length: Duration
    private var windows: [Kind: Window] = [:]

    /// - Parameters:
    ///   - linesMax: Lines of one kind in a window, at most.
    ///   - length: From the first line of a window to its end.
    package init(linesMax: Int, in length: Duration) {
        self.linesMax = linesMax
        self.length = length
    }

    /// Decides whether a line passes.
    ///
    /// - Parameters:
    ///   - kind: What the line is about.
    ///   - text: What it says, where saying the same twice in a row within a window helps nobody.
    ///   - now: On a clock that only goes forward.
    /// - Returns: How many lines of that kind were held back since the last one that passed; nil where this one is, too.
    package mutating func admit(_ kind: Kind, saying text: String? = nil, now: Duration) -> Int? {
        var window = windows[kind] ?? Window(start: now)
        if now >= window.start + length { window = Window(start: now, heldBack: window.heldBack) }
        let isRepeated = text != nil && window.latest == text
        let passes = window.lines < linesMax && !isRepeated
        let heldBack = window.heldBack
        if passes {
            window.lines += 1
            window.latest = text
        }
        window.heldBack = passes ? 0 : heldBack + 1
        windows[kind] = window
        return passes ? heldBack : nil
    }

    /// Lines that were held back and that no later line has told of.
    package var heldBack: Int { windows.values.reduce(0) { $0 + $1.heldBack } }
}

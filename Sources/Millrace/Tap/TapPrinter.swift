import Basics
import Settings
import Synchronization

/// Prints the spans of a stream of server-sent events as it comes.
///
/// Used by the thread that reads the stream, which waits while nobody takes what is printed: what comes meanwhile the process leaves
/// out and counts.
final class TapPrinter: Sendable {
    private struct State {
        var rest: [UInt8] = []
        var shown = 0
        var leftOut = 0
        var hasEnded = false
    }

    private let limit: Int?
    private let printsJSON: Bool
    private let state = Mutex(State())

    /// - Parameters:
    ///   - limit: Spans that are printed; nil for all.
    ///   - printsJSON: Whether each is printed as an object.
    init(limit: Int?, printsJSON: Bool) {
        (self.limit, self.printsJSON) = (limit, printsJSON)
    }

    /// Whether everything that was wanted has been printed.
    var hasEnded: Bool { state.withLock { $0.hasEnded } }

    /// Nothing more is wanted.
    func end() { state.withLock { $0.hasEnded = true } }

    /// Takes the next bytes of the stream; false where nothing more is wanted.
    func take(_ bytes: [UInt8]) -> Bool {
        let events = state.withLock { state -> [[UInt8]] in
            state.rest += bytes
            return Self.takeLines(from: &state.rest)
        }
        // Only events that have requests hold this member.
        for line in events where line.starts(with: Array("data: ".utf8)) {
            guard let event = try? JSONNode(parsing: Array(line.dropFirst("data: ".utf8.count))),
                let requests = event["requests"]?.elements
            else { continue }
            for request in requests { print(request) }
            tell(leftOut: event["left_out"]?.integer ?? 0)
        }
        return !hasEnded
    }

    /// Says what there was in all.
    func sum() {
        let (shown, leftOut) = state.withLock { ($0.shown, $0.leftOut) }
        let rest = leftOut > 0 ? "\(leftOut) requests left out" : "nothing left out"
        writeLine("\(shown) spans shown, \(rest)", to: .standardError)
    }

    private static func takeLines(from rest: inout [UInt8]) -> [[UInt8]] {
        guard let end = rest.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
        let lines = rest[..<end].split(separator: UInt8(ascii: "\n")).map(Array.init)
        rest.removeSubrange(...end)
        return lines
    }

    private func tell(leftOut count: Int) {
        guard count > 0 else { return }
        state.withLock { $0.leftOut += count }
        writeLine("left out: \(count) requests, which came too fast or are too large", to: .standardError)
    }

    private func print(_ request: JSONNode) {
        let at = request["at"]?.string ?? ""
        for pipeline in request["pipelines"]?.elements ?? [] {
            for span in pipeline["spans"]?.elements ?? [] {
                let isWanted = state.withLock { state -> Bool in
                    guard !state.hasEnded else { return false }
                    state.shown += 1
                    if state.shown == limit { state.hasEnded = true }
                    return true
                }
                guard isWanted else { return }
                let name = pipeline["name"]?.string ?? ""
                let line = printsJSON ? Self.json(span, name, request, at) : Self.line(span, name, at)
                // `head` takes no more than it wants.
                guard writeWhole(line.withoutControls + "\n", to: .standardOutput) else { return end() }
            }
        }
    }

    private static func json(_ span: JSONNode, _ pipeline: String, _ request: JSONNode, _ at: String) -> String {
        let head: JSON = [
            "at": .text(at), "pipeline": .text(pipeline), "receiver": .text(request["receiver"]?.string ?? ""),
            "client": .text(request["client"]?.string ?? ""),
        ]
        return head.adding(JSON(span)).lineText.escapingControlsInJSON
    }

    /// Time, name, type, service, duration, what became of it.
    private static func line(_ span: JSONNode, _ pipeline: String, _ at: String) -> String {
        func text(_ name: String) -> String? { span[name]?.string }
        let nanoseconds = (text("end_ns").flatMap(Double.init) ?? 0) - (text("start_ns").flatMap(Double.init) ?? 0)
        let time = String(at.drop { $0 != "T" }.dropFirst().prefix(8))
        var words = [time, pipeline, (text("name") ?? "").excerpt(max: 60)]
        if let type = span["attributes"]?["mlflow.spanType"]?.string { words.append(type) }
        if let service = text("service") { words.append("of \(service.excerpt(max: 40))") }
        words.append(shortDuration(seconds: max(0, nanoseconds) / 1e9))
        if span["error"]?.bool == true { words.append("ERROR") }
        if let experiment = text("experiment") { words.append("for \"\(experiment.excerpt(max: 40))\"") }
        if let reason = text("dropped"), let processor = text("dropped_by") {
            words.append("(\(reason) by \(processor))")
        }
        return (words + ["trace \(text("trace_id") ?? "")"]).joined(separator: "  ")
    }

    private static func shortDuration(seconds: Double) -> String {
        seconds < 0.9995 ? "\(Int((seconds * 1000).rounded())) ms" : durationText(seconds)
    }
}

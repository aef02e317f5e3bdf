package import Admin
import Basics
package import Conditions
import OTLP
import Pipeline
import Settings
import Synchronization

/// What one person watches: requests as they come, with what each processor does to their spans, as `explain` tells it.
///
/// The processors that tell are not those that work: they are made when somebody begins to watch, and what they remember of routes is what
/// came since. They run on a thread of their own, and a reload makes them anew, so that what it takes out is not shown any more.
final class ConsoleTail: AdminTail {
    /// Characters of one text that are shown, at most.
    static let textMax = 2000

    private struct State {
        var ready: [JSON] = []
        var leftOut = 0
        var isWorking = false
        /// Nil before the first request is shown.
        var rehearsal: Rehearsal?
        /// Those that went as rows, the newest, and may be asked for.
        var kept = KeptRequests()
    }

    /// The processors of one pipeline file, by pipeline.
    private struct Rehearsal {
        let file: PipelineFile
        let runs: [String: DryRun]
    }

    /// What its requests are asked for by.
    let name = String(UInt64.random(in: .min ... .max), radix: 16)
    private let isBrief: Bool
    private let watcher: RequestTap.Watcher
    private let tap: RequestTap
    private let file: @Sendable () -> PipelineFile
    private let condition: Condition?
    private let exporter: String?
    private let thread = SerialThread(name: "millrace-tail")
    private let state = Mutex(State())

    /// - Parameters:
    ///   - tap: Where requests pass by.
    ///   - wish: What is to be shown.
    ///   - current: The file that counts now.
    /// - Throws: What is wrong with the wish.
    init(
        _ tap: RequestTap,
        _ wish: TailWish,
        _ current: @escaping @Sendable () -> PipelineFile
    ) throws(TailProblem) {
        condition = try wish.readCondition()
        let file = current()
        if let exporter = wish.exporter, !file.exporters.contains(where: { $0.name == exporter }) {
            let names = file.exporters.map(\.name).joined(separator: ", ")
            throw TailProblem("there is no exporter \"\(exporter.excerpt())\"; those of the file: \(names)")
        }
        (self.tap, self.file, exporter, isBrief) = (tap, current, wish.exporter, wish.isBrief)
        watcher = tap.watch(finding: wish.text)
    }

    deinit {
        thread.stop()
    }

    func take() -> [UInt8]? {
        let (ready, leftOut, begins) = state.withLock { state in
            defer { (state.ready, state.leftOut, state.isWorking) = ([], 0, true) }
            return (state.ready, state.leftOut, !state.isWorking)
        }
        if begins { thread.submit { self.work() } }
        guard !ready.isEmpty || leftOut > 0 else { return nil }
        let event: JSON = ["tail": .text(name), "requests": .array(ready), "left_out": .integer(leftOut)]
        return Array(event.lineText.utf8)
    }

    /// One that went as a row, whole.
    func answer(_ number: Int) async -> DeadLetterOffice.Answer {
        guard let request = state.withLock({ $0.kept[number] }) else {
            return .unknown("the request is not kept any more: the newest \(KeptRequests.countMax) are")
        }
        let json = await thread.run { self.json(request, self.rehearsal, explained: true) }
        return .done(Array((json ?? .null).lineText.utf8))
    }

    func leave() {
        tap.leave(watcher)
    }

    private func work() {
        let (requests, leftOut) = watcher.take()
        let rehearsal = requests.isEmpty ? nil : self.rehearsal
        let shown = requests.compactMap { request -> JSON? in
            guard let rehearsal, let json = json(request, rehearsal, explained: !isBrief) else { return nil }
            guard isBrief else { return json }
            return json.adding(["number": .integer(state.withLock { $0.kept.add(request) })])
        }
        state.withLock { state in
            state.ready += shown
            state.leftOut += leftOut
            state.isWorking = false
        }
    }

    /// The processors that tell; making them takes a while the first time.
    private var rehearsal: Rehearsal {
        let file = file()
        let known = state.withLock { $0.rehearsal }
        if let known, known.file.source.digest == file.source.digest { return known }
        let runs = file.pipelines.reduce(into: [String: DryRun]()) { runs, pipeline in
            runs[pipeline.name] = try? DryRun(pipeline, of: file)
        }
        let rehearsal = Rehearsal(file: file, runs: runs)
        state.withLock { $0.rehearsal = rehearsal }
        return rehearsal
    }

    /// Nil where nothing of it is asked for.
    private func json(
        _ request: RequestTap.Request,
        _ rehearsal: Rehearsal,
        explained isExplained: Bool
    ) -> JSON? {
        let pipelines = request.pipelines.compactMap { name -> JSON? in
            guard let run = rehearsal.runs[name], isAskedFor(name, in: rehearsal.file) else { return nil }
            let dry = DryRunRequest(batch: request.batch, headers: request.source.headers)
            let result = run.run(
                [dry],
                from: request.source.identity,
                looking: condition,
                explained: isExplained
            )
            let spans = result.spans.filter { $0.isLookedFor && (exporter == nil || $0.removal == nil) }
            guard !spans.isEmpty || condition == nil && exporter == nil else { return nil }
            return [
                "name": .text(name), "refused": result.refusal.map(JSON.text) ?? .null,
                "spans": .array(
                    spans.map { span in
                        let json = isExplained ? span.json.adding(span.before) : span.brief
                        return json.adding(span.place).shortened(to: Self.textMax)
                    }
                ),
            ]
        }
        guard !pipelines.isEmpty || condition == nil && exporter == nil else { return nil }
        return [
            "at": .text(request.time.text), "receiver": .text(request.source.receiver),
            "client": .text(request.source.client ?? ""),
            "identity": request.source.identity.map { .text($0.name) } ?? .null, "pipelines": .array(pipelines),
        ]
    }
}

extension ConsoleTail {
    private func isAskedFor(_ pipeline: String, in file: PipelineFile) -> Bool {
        guard let exporter else { return true }
        return file.pipelines.contains { $0.name == pipeline && $0.value.exporters.contains(exporter) }
    }
}

extension TailWish {
    /// Reads a condition, as pipeline files have them.
    ///
    /// - Throws: What is wrong with it.
    package static func condition(_ text: String) throws(TailProblem) -> Condition {
        let node: JSONNode
        do throws(JSONSyntaxError) {
            node = try JSONNode(parsing: Array(text.utf8))
        } catch {
            throw TailProblem("the condition is no JSON: \(error.reason)")
        }
        do throws(DocumentProblems) {
            return try Condition(decoding: node)
        } catch {
            throw TailProblem("the condition: " + error.list.map(\.message).joined(separator: "; "))
        }
    }

    fileprivate func readCondition() throws(TailProblem) -> Condition? {
        guard let condition else { return nil }
        return try Self.condition(condition)
    }
}

extension DryRunSpan {
    /// What it had before.
    fileprivate var before: JSON { ["before": .object(arrived.finalAttributes)] }

    /// Where it stands in its trace and in time.
    fileprivate var place: JSON {
        [
            "parent_id": head.parentID.map { .text("\($0)") } ?? .null, "start_ns": .text("\(head.start)"),
            "end_ns": .text("\(head.end)"), "error": .bool(head.isError),
        ]
    }
}

extension JSON {
    /// The same with texts of so many characters at most.
    func shortened(to most: Int) -> JSON {
        switch self {
        case .text(let text):
            guard text.utf8.count > most,
                case let end = text.index(text.startIndex, offsetBy: most, limitedBy: text.endIndex),
                let end, end < text.endIndex
            else { return self }
            return .text("\(text[..<end])… (\(text.utf8.count) bytes)")
        case .array(let elements): return .array(elements.map { $0.shortened(to: most) })
        case .object(let members):
            return .object(members.map { Member($0.name, $0.value.shortened(to: most)) })
        case .number, .bool, .null: return self
        }
    }
}

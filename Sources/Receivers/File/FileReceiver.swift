import Basics
import Logging
import NIOPosix
import OTLP
import Pipeline
import Synchronization

/// The `otlp_file` receiver: hands what files hold to the intake, and notes how far each is taken.
///
/// Records go in order, but for those that have to wait: others of the same batch pass them.
/// `start()`, then `prepareToStop(refusing:)` and `stop(within:)`.
final class FileReceiver: Receiver {
    private struct State {
        var settings: FileReceiverSettings
        var task: Task<Void, Never>?
        /// Nil before the first time that it is opened.
        var shelf: FileShelf?
    }

    /// What is told of.
    enum Trouble {
        case copy, file, lost, refused, postponed, positions
    }

    /// Between two looks for what was added.
    private static let interval = Duration.milliseconds(250)
    /// Between two times that positions are written down.
    private static let saveInterval = Duration.seconds(1)
    /// Between two tries to read positions.
    private static let openInterval = Duration.seconds(5)

    private let context: ReceiverContext
    private let thread: SerialThread
    private let desk: RecordDesk
    private let clock = MonotonicClock.system
    private let state: Mutex<State>
    private let throttle = Mutex(LogThrottle<Trouble>(linesMax: 3, in: .seconds(60)))
    private let progress: ReplayProgress

    init(_ settings: FileReceiverSettings, in context: ReceiverContext) {
        self.context = context
        thread = SerialThread(name: "millrace-replay")
        desk = RecordDesk(context.intake, on: context.eventLoops.group.next())
        progress = ReplayProgress(context.name, context.meters)
        state = Mutex(State(settings: settings))
    }

    deinit { thread.stop() }

    func start() async { begin() }

    /// Reads nothing more.
    func prepareToStop(refusing: Bool) async { await end(within: .seconds(1)) }

    func stop(within limit: Duration) async { await end(within: limit) }

    /// Goes on with other settings where it has stopped; what was read stays read.
    func goOn(as other: any Receiver) async -> Bool {
        guard let other = other as? FileReceiver else { return false }
        await end(within: nil)
        state.withLock { state in state.settings = other.state.withLock { $0.settings } }
        begin()
        return true
    }

    private func begin() {
        state.withLock { state in
            let settings = state.settings
            state.task = Task { await run(settings) }
        }
    }

    /// - Parameter limit: Nil to wait for the answers of what is on its way, however long they take.
    private func end(within limit: Duration?) async {
        guard let task = state.withLock({ $0.task }) else { return }
        task.cancel()
        guard let limit else { return await task.value }
        await task.wait(atMost: limit)
    }

    /// Until everything is read, or it is cancelled.
    private func run(_ settings: FileReceiverSettings) async {
        guard let shelf = await openShelf() else { return }
        let pattern = FilePattern(settings.path)
        var run = Run(settings: settings, shelf: shelf, pace: Pace(settings.requestsPerSecond, clock.now()))
        progress.begin(showing: !settings.follows)
        repeat {
            let look = await thread.run { shelf.look(at: pattern) }
            if look.files.isEmpty, !settings.follows {
                note(.file, "nothing is replayed", "no such file", of: settings.path)
            }
            for file in look.lost {
                note(.lost, "a file went before all of it was read", "it is gone from \(settings.path)", of: file.path)
            }
            progress.look(at: look.news)
            for file in look.news where !Task.isCancelled { await read(file, &run) }
            await save(&run)
            if settings.follows { try? await Task.sleep(for: Self.interval) }
        } while settings.follows && !Task.isCancelled
        if !settings.follows, !Task.isCancelled { progress.end(context.logger, settings.path) }
    }

    /// What is read with, from one start or change of settings to the next.
    private struct Run {
        let settings: FileReceiverSettings
        let shelf: FileShelf
        var pace: Pace
        var saveAt = Duration.zero
    }

    /// Nil where it is cancelled before the positions can be read.
    private func openShelf() async -> FileShelf? {
        if let known = state.withLock({ $0.shelf }) { return known }
        let path = context.stateDirectory.map { "\($0)/\(context.name).positions" }
        while !Task.isCancelled {
            do throws(FileReadError) {
                let shelf = try await thread.run { () throws(FileReadError) in try FileShelf(notedAt: path) }
                state.withLock { $0.shelf = shelf }
                return shelf
            } catch {
                let what = "nothing is replayed while it is unknown how far files were read"
                note(.positions, what, error.reason, of: path ?? "")
                try? await Task.sleep(for: Self.openInterval)
            }
        }
        return nil
    }

    private func read(_ file: SourceFile, _ run: inout Run) async {
        let (shelf, isWhole, recordMax) = (run.shelf, !run.settings.follows, run.settings.maxBody)
        do throws(FileReadError) {
            let opening = try await thread.run { () throws(FileReadError) in
                try shelf.open(file, isWhole: isWhole, recordMax: recordMax)
            }
            if opening.isCopy {
                note(.copy, "a copy of a file that was read", "read from byte \(opening.position) on", of: file.path)
            }
            progress.read(to: opening.offset, of: file)
            try await readOn(file, &run)
        } catch {
            note(.file, "a file cannot be read", error.reason, of: file.path)
        }
        await thread.run { shelf.close() }
    }

    /// From where the file was opened to the end, or until it is cancelled.
    private func readOn(_ file: SourceFile, _ run: inout Run) async throws(FileReadError) {
        let shelf = run.shelf
        while !Task.isCancelled {
            let count = run.pace.recordsMax
            let step = try await thread.run { () throws(FileReadError) in try shelf.next(atMost: count) }
            guard !step.findings.isEmpty else {
                progress.read(to: step.offset, of: file)
                return await thread.run { shelf.note(step.position, isAll: true) }
            }
            let position = await take(step.findings, of: file, run.settings, &run.pace)
            await thread.run { shelf.note(position ?? step.position, isAll: false) }
            guard position == nil else { return }
            progress.read(to: step.offset, of: file)
            if clock.now() >= run.saveAt { await save(&run) }
        }
    }

    private func save(_ run: inout Run) async {
        let shelf = run.shelf
        do throws(FileReadError) {
            try await thread.run { () throws(FileReadError) in try shelf.save() }
        } catch {
            note(.positions, "how far files are read cannot be noted", error.reason, of: context.stateDirectory ?? "")
        }
        run.saveAt = clock.now() + Self.saveInterval
    }
}

// What becomes of records.
extension FileReceiver {
    /// Hands findings on; nil once all are answered, else where to go on another time.
    private func take(
        _ findings: [RecordSplitter.Finding],
        of file: SourceFile,
        _ settings: FileReceiverSettings,
        _ pace: inout Pace
    ) async -> Int? {
        var waiting: [RecordSplitter.Record] = []
        for finding in findings {
            switch finding {
            case .record(let record): waiting.append(record)
            case .skipped(let start, _, let reason): refuse(reason, at: start, of: file)
            case .broken(let start, let reason):
                progress.refused()
                note(.file, "a file is read no further", reason, of: "\(file.path), byte \(start)")
            }
        }
        var unended: Int?
        while !waiting.isEmpty {
            if let pause = pace.pause(before: waiting.count, clock.now()) { try? await Task.sleep(for: pause) }
            guard !Task.isCancelled else { return waiting[0].start }
            let answers = await desk.answers(to: waiting.map { request($0, settings.signal) })
            var (left, pause): ([RecordSplitter.Record], Duration) = ([], .zero)
            for (record, answer) in zip(waiting, answers) {
                switch answer {
                case .accepted: progress.took()
                case .partial(_, let message):
                    progress.took()
                    note(.refused, "some of a record is refused", message, of: "\(file.path), byte \(record.start)")
                case .invalid(let reason), .tooLarge(let reason), .forbidden(let reason):
                    refuse(reason, at: record.start, of: file)
                    // The line may be whole another time.
                    if !record.isEnded { unended = record.start }
                case .throttled(let reason, let after), .unavailable(let reason, let after):
                    note(.postponed, "records have to wait", reason, of: file.path)
                    left.append(record)
                    pause = max(pause, after)
                }
            }
            waiting = left
            if !waiting.isEmpty { try? await Task.sleep(for: pause) }
        }
        return unended
    }

    private func request(_ record: RecordSplitter.Record, _ signal: Signal) -> IncomingRequest {
        let memory = Reservation(context.memory)
        // Where there is no room for it, the intake has none either, and says so.
        _ = memory.grow(to: record.bytes.count, isAhead: true)
        return IncomingRequest(
            signal: record.isJSON ? Signal(ofRequest: record.bytes.span.bytes) ?? signal : signal,
            encoding: record.isJSON ? .json : .protobuf,
            body: record.bytes,
            source: RequestSource(receiver: context.name),
            memory: memory
        )
    }

    private func refuse(_ reason: String, at start: Int, of file: SourceFile) {
        progress.refused()
        note(.refused, "a record is refused", reason, of: "\(file.path), byte \(start)")
    }

    /// Logs what happens: the same thing once a minute, and of each kind three.
    private func note(_ trouble: Trouble, _ text: String, _ reason: String, of place: String) {
        let heldBack = throttle.withLock { $0.admit(trouble, saying: text + reason, now: clock.now()) }
        guard let heldBack else { return }
        var metadata: Logger.Metadata = [
            "receiver": "\(context.name)", "place": "\(place)", "reason": "\(reason.excerpt())",
        ]
        if heldBack > 0 { metadata["held_back"] = "\(heldBack)" }
        context.logger.warning("\(text)", metadata: metadata)
    }
}

/// When records may go on, so that no more than so many a second do.
private struct Pace {
    /// Records that are handed on at once.
    private static let recordsMax = 32

    private let interval: Duration?
    private var due: Duration
    /// Records that go on at once: of a slow pace a quarter of a second's.
    let recordsMax: Int

    /// So many records a second; nil for no limit.
    init(_ rate: Double?, _ now: Duration) {
        interval = rate.map { .seconds(1 / $0) }
        recordsMax = rate.map { max(1, min(Self.recordsMax, Int($0 / 4))) } ?? Self.recordsMax
        due = now
    }

    /// How long to wait before so many go on; nil for not at all.
    mutating func pause(before count: Int, _ now: Duration) -> Duration? {
        guard let interval else { return nil }
        let pause = due - now
        due = max(due, now) + interval * count
        return pause > .zero ? pause : nil
    }
}

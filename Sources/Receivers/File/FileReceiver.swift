import Basics
import Logging
import NIOPosix
import OTLP
import Pipeline
import Synchronization

/// The `otlp_file` receiver: hands what files hold to the intake, in order, and notes how far each is taken.
///
/// `start()`, then `prepareToStop(refusing:)` and `stop(within:)`.
final class FileReceiver: Receiver {
    private struct State {
        var settings: FileReceiverSettings
        var task: Task<Void, Never>?
    }

    /// What is told of.
    enum Trouble {
        case file, refused, postponed, positions
    }

    /// Between two looks for what was added.
    private static let interval = Duration.milliseconds(250)
    /// Between two times that positions are written down.
    private static let saveInterval = Duration.seconds(1)

    private let context: ReceiverContext
    private let thread: SerialThread
    private let desk: RecordDesk
    private let clock = MonotonicClock.system
    private let state: Mutex<State>
    /// The file that is read now; locked on `thread` alone.
    private let reader = Mutex<RecordReader?>(nil)
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
        guard var positions = await openPositions() else { return }
        let pattern = FilePattern(settings.path)
        var pace = Pace(settings.requestsPerSecond, clock.now())
        progress.begin(showing: !settings.follows)
        repeat {
            let files = await thread.run { pattern.files() }
            positions.keep(files)
            if files.isEmpty, !settings.follows {
                note(.file, "nothing is replayed", "no such file", of: settings.path)
            }
            let news = files.filter(positions.hasNews)
            progress.look(at: news)
            for file in news where !Task.isCancelled { await read(file, settings, &positions, &pace) }
            if settings.follows { try? await Task.sleep(for: Self.interval) }
        } while settings.follows && !Task.isCancelled
        if !settings.follows, !Task.isCancelled { progress.end(context.logger, settings.path) }
    }

    /// Nil, and told, where they cannot be read.
    private func openPositions() async -> ReadPositions? {
        let path = context.stateDirectory.map { "\($0)/\(context.name).positions" }
        do throws(FileReadError) {
            return try await thread.run { () throws(FileReadError) in try ReadPositions(at: path) }
        } catch {
            note(.positions, "nothing is replayed: how far files were read is unknown", error.reason, of: path ?? "")
            return nil
        }
    }

    private func read(
        _ file: SourceFile,
        _ settings: FileReceiverSettings,
        _ positions: inout ReadPositions,
        _ pace: inout Pace
    ) async {
        do throws(FileReadError) {
            let opened = try await open(file, settings, &positions)
            try await readOn(file, opened, settings, &positions, &pace)
        } catch {
            note(.file, "a file cannot be read", error.reason, of: file.path)
        }
        await thread.run { self.reader.withLock { $0 = nil } }
        await save(&positions)
    }

    private func open(
        _ file: SourceFile,
        _ settings: FileReceiverSettings,
        _ positions: inout ReadPositions
    ) async throws(FileReadError) -> OpenedFile {
        let opened: OpenedFile
        (opened, positions) = try await thread.run { [positions, self] () throws(FileReadError) in
            var positions = positions
            let opened = try OpenedFile(file.path)
            let start = positions.start(of: opened)
            try self.reader.withLock { (reader) throws(FileReadError) in
                reader = try RecordReader(
                    opened,
                    from: start,
                    isWhole: !settings.follows,
                    recordMax: settings.maxBody
                )
            }
            return (opened, positions)
        }
        return opened
    }

    /// From the position of the reader to the end, or until it is cancelled.
    private func readOn(
        _ file: SourceFile,
        _ opened: OpenedFile,
        _ settings: FileReceiverSettings,
        _ positions: inout ReadPositions,
        _ pace: inout Pace
    ) async throws(FileReadError) {
        var saveAt = clock.now() + Self.saveInterval
        while !Task.isCancelled {
            let (findings, offset, end) = try await thread.run { () throws(FileReadError) in try self.nextFindings() }
            guard !findings.isEmpty else {
                progress.read(to: offset, of: file)
                return await note(end, of: opened, isAll: true, &positions)
            }
            let position = await take(findings, of: file, settings, &pace)
            await note(position ?? end, of: opened, isAll: false, &positions)
            guard position == nil else { return }
            progress.read(to: offset, of: file)
            if clock.now() >= saveAt {
                await save(&positions)
                saveAt = clock.now() + Self.saveInterval
            }
        }
    }

    private func nextFindings() throws(FileReadError) -> (found: [RecordSplitter.Finding], offset: Int, position: Int) {
        let result = reader.withLock { reader -> Result<([RecordSplitter.Finding], Int, Int), FileReadError> in
            do throws(FileReadError) {
                let found = try reader?.next() ?? []
                return .success((found, reader?.offset ?? 0, reader?.position ?? 0))
            } catch {
                return .failure(error)
            }
        }
        return try result.get()
    }

    private func note(_ position: Int, of file: OpenedFile, isAll: Bool, _ positions: inout ReadPositions) async {
        positions = await thread.run { [positions] in
            var positions = positions
            positions.note(position, of: file, isAll: isAll)
            return positions
        }
    }

    private func save(_ positions: inout ReadPositions) async {
        do throws(FileReadError) {
            positions = try await thread.run { [positions] () throws(FileReadError) in
                var positions = positions
                try positions.save()
                return positions
            }
        } catch {
            note(.positions, "how far files are read cannot be noted", error.reason, of: context.stateDirectory ?? "")
        }
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
    private let interval: Duration?
    private var due: Duration

    /// So many records a second; nil for no limit.
    init(_ rate: Double?, _ now: Duration) {
        interval = rate.map { .seconds(1 / $0) }
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

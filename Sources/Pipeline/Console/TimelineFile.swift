import Basics
import Glibc
import Logging
import Synchronization

/// The newest events in a file beside the journal, so that restarts are among them: a JSON object a line, the oldest first.
///
/// Each event is one write at the file's end, on a thread of its own. A line that a crash has cut short, or that another version wrote,
/// is passed over. At the start, and after so many lines, those that count are written beside the file and put in its place, so that
/// one of both is there whenever the process ends. Nothing waits for the disk: after a loss of power the newest may be missing.
final class TimelineFile: Sendable {
    static let name = "events.jsonl"
    /// Lines at which the file is written anew.
    static let linesMax = 2 * Timeline.eventsMax
    /// What is read of it.
    private static let bytesMax = ByteCount.mebibytes(4)

    private let path: String
    private let logger: Logger
    private let thread = SerialThread(name: "millrace-events")
    private let state: Mutex<State>

    private struct State {
        /// Those that the file is written anew with.
        var events: [Timeline.Event]
        var lines = 0
        var hasFailed = false
    }

    /// What earlier processes noted is put into `events`; blocks for the disk.
    init(in directory: String, _ events: inout [Timeline.Event], logger: Logger) {
        (path, self.logger) = ("\(directory)/\(Self.name)", logger)
        events = Self.events(at: path)
        state = Mutex(State(events: events))
        rewrite()
    }

    deinit {
        thread.stop()
    }

    /// Writes an event, behind those before it.
    func append(_ event: Timeline.Event) {
        thread.submit { [self] in
            let isFull = state.withLock { state in
                state.events = (state.events + [event]).suffix(Timeline.eventsMax)
                state.lines += 1
                return state.lines > Self.linesMax
            }
            if isFull { return rewrite() }
            write(event.line, to: open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW))
        }
    }

    /// Returns once everything so far is written.
    func flush() async { await thread.run {} }

    private func rewrite() {
        let events = state.withLock { state in
            state.lines = state.events.count
            return state.events
        }
        let new = path + ".new"
        unlink(new)
        let descriptor = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard write(events.flatMap(\.line), to: descriptor) else { return }
        if rename(new, path) != 0 { warn() }
    }

    /// Closes the file, too; false where it fails.
    @discardableResult
    private func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        defer { if descriptor >= 0 { close(descriptor) } }
        guard descriptor >= 0, unsafe Glibc.write(descriptor, bytes, bytes.count) == bytes.count else {
            warn()
            return false
        }
        return true
    }

    /// Says once why events are not written.
    private func warn() {
        let reason = FileReadError.ofSystem().reason
        let isFirst = state.withLock { state in
            defer { state.hasFailed = true }
            return !state.hasFailed
        }
        guard isFirst else { return }
        logger.warning("what happens is not noted for the console page", metadata: ["\(path)": "\(reason)"])
    }

    private static func events(at path: String) -> [Timeline.Event] {
        guard FileStatus(path)?.isRegular == true, let bytes = try? readFile(path, max: bytesMax) else { return [] }
        let lines = bytes.split(separator: UInt8(ascii: "\n")).suffix(linesMax)
        return lines.compactMap { Timeline.Event(line: Array($0)) }.suffix(Timeline.eventsMax)
    }
}

extension Timeline.Event {
    /// It as one line of the file.
    fileprivate var line: [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("at")
        writer.string(time.text)
        writer.key("nanoseconds")
        writer.string("\(time.nanoseconds)")
        writer.key("kind")
        writer.string(kind.rawValue)
        writer.key("name")
        writer.string(name)
        writer.key("text")
        writer.string(text)
        writer.endObject()
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    /// Nil for what no version like this one wrote.
    fileprivate init?(line: [UInt8]) {
        guard let node = try? JSONNode(parsing: line), let kind = node["kind"]?.string.flatMap(Timeline.Kind.init),
            let nanoseconds = node["nanoseconds"]?.string.flatMap({ UInt64($0) }), let name = node["name"]?.string,
            let text = node["text"]?.string
        else { return nil }
        self.init(time: UnixTime(nanoseconds: nanoseconds), kind: kind, name: name, text: text)
    }
}

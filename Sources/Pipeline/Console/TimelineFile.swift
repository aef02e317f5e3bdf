import Basics
import Glibc
import Logging
import Synchronization

/// The newest events in a file beside the journal, so that restarts are among them: a JSON object a line, the oldest first.
///
/// Events are added at the file's end, on a thread of its own. A line that a crash has cut short, or that another version wrote, is
/// passed over. At the start, after so many lines, and behind a failure the file is written anew. Nothing waits for the disk: after a
/// loss of power the newest may be missing.
final class TimelineFile: Sendable {
    static let name = "events.jsonl"
    /// Lines at which the file is written anew.
    static let linesMax = 2 * Timeline.eventsMax
    /// What is read of it.
    private static let bytesMax = ByteCount.mebibytes(4)

    private let path: String
    private let logger: Logger
    private let thread = SerialThread(name: "millrace-events")
    private let state = Mutex(State())

    private struct State {
        /// Those that count, and how many of the newest are not written yet.
        var events: [Timeline.Event] = []
        var unwritten = 0
        var lines = 0
        /// Whether the file may lack something.
        var isBroken = true
        var hasWarned = false
    }

    /// Reads nothing and writes nothing yet.
    init(in directory: String, logger: Logger) {
        (path, self.logger) = ("\(directory)/\(Self.name)", logger)
    }

    deinit {
        thread.stop()
    }

    /// What earlier processes noted; blocks for the disk.
    var earlier: [Timeline.Event] { Self.events(at: path) }

    /// Writes the newest of these, behind those before it; one job waits for the disk, however many events come.
    func append(_ events: [Timeline.Event]) {
        let isFirst = state.withLock { state in
            state.events = events
            state.unwritten += 1
            return state.unwritten == 1
        }
        if isFirst { thread.submit { self.write() } }
    }

    /// Returns once everything so far is written.
    func flush() async { await thread.run {} }

    private func write() {
        let (events, count, isNew) = state.withLock { state in
            defer { state.unwritten = 0 }
            let isNew = state.isBroken || state.lines + state.unwritten > Self.linesMax
            return (state.events, min(state.unwritten, state.events.count), isNew)
        }
        do throws(FileReadError) {
            if isNew {
                try replaceFile(path, with: events.flatMap(\.line), isSynced: false)
            } else {
                try append(events.suffix(count).flatMap(\.line))
            }
            state.withLock { state in
                state.lines = isNew ? events.count : state.lines + count
                state.isBroken = false
            }
        } catch {
            warn(error.reason)
        }
    }

    private func append(_ bytes: [UInt8]) throws(FileReadError) {
        let descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { throw .ofSystem() }
        defer { close(descriptor) }
        guard unsafe Glibc.write(descriptor, bytes, bytes.count) == bytes.count else { throw .ofSystem() }
    }

    /// Says once why events are not written; the next one is written with all before it.
    private func warn(_ reason: String) {
        let isFirst = state.withLock { state in
            defer { (state.isBroken, state.hasWarned) = (true, true) }
            return !state.hasWarned
        }
        guard isFirst else { return }
        logger.warning("what happens is not noted for the console page", metadata: ["\(path)": "\(reason)"])
    }

    private static func events(at path: String) -> [Timeline.Event] {
        guard FileStatus(path)?.isRegular == true, let bytes = try? readFile(path, max: bytesMax) else { return [] }
        let lines = bytes.split(separator: UInt8(ascii: "\n")).suffix(linesMax)
        return lines.compactMap { Timeline.Event(line: Array($0)) }
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

import Basics
import Configuration
import Logging

/// Makes one line of each log record, as text or as JSON, for standard error.
///
/// Parts of a record may come from clients: none of them can begin another record or drive a terminal. In text they stand as
/// excerpts; JSON keeps them whole, escaped.
struct StandardErrorLog: LogHandler {
    /// Characters of a message, and of one value, that are written as text.
    private static let messageMax = 4000
    private static let valueMax = 1000

    private let control: LogControl
    /// Where a logger was given a level of its own.
    private var ownLevel: Logger.Level?
    private let clock: WallClock
    private let sink: LogSink

    var logLevel: Logger.Level {
        get { ownLevel ?? control.settings.level }
        set { ownLevel = newValue }
    }
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(
        settings: LogSettings,
        clock: WallClock = .system,
        sink: LogSink = .standardError
    ) {
        self.init(control: LogControl(settings), clock: clock, sink: sink)
    }

    init(
        control: LogControl,
        clock: WallClock = .system,
        sink: LogSink = .standardError
    ) {
        self.control = control
        self.clock = clock
        self.sink = sink
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        guard let heldBack = sink.admit(LogSink.Place(file: event.file, line: event.line)) else { return }
        var all = metadata.merging(metadataProvider?.get() ?? [:]) { $1 }.merging(event.metadata ?? [:]) { $1 }
        if heldBack > 0 { all["held_back"] = "\(heldBack)" }
        let pairs = all.map { (key: $0.key, value: "\($0.value)") }.sorted { $0.key < $1.key }
        switch control.settings.format {
        case .text: sink.write(text(event, pairs))
        case .json: sink.write(json(event, pairs))
        }
    }

    private func text(_ event: LogEvent, _ pairs: [(key: String, value: String)]) -> String {
        let level = event.level.rawValue.uppercased()
        let head = "\(time) \(level)\(String(repeating: " ", count: max(0, 8 - level.count)))"
        let message = event.message.description.excerpt(max: Self.messageMax)
        return pairs.reduce("\(head) \(message)") { line, pair in
            let value = pair.value.excerpt(max: Self.valueMax)
            return line + " \(pair.key.excerpt())=\(isPlain(value) ? value : quoted(value))"
        }
    }

    private func json(_ event: LogEvent, _ pairs: [(key: String, value: String)]) -> String {
        var writer = JSONWriter()
        writer.beginObject()
        for (key, value) in [("time", time), ("level", event.level.rawValue), ("message", event.message.description)]
            + pairs
        {
            writer.key(key)
            writer.string(value)
        }
        writer.endObject()
        return writer.text.escapingControlsInJSON
    }

    /// RFC 3339 with milliseconds.
    private var time: String {
        let now = clock.now()
        let milliseconds = String(now.nanoseconds / 1_000_000 % 1000)
        let padding = String(repeating: "0", count: 3 - milliseconds.count)
        return now.text.dropLast() + ".\(padding)\(milliseconds)Z"
    }

    private func isPlain(_ value: String) -> Bool {
        !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "=") }
    }

    private func quoted(_ value: String) -> String {
        var writer = JSONWriter()
        writer.string(value)
        return writer.text
    }
}

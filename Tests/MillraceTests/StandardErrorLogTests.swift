import Basics
import Configuration
import Logging
import Synchronization
import Testing

@testable import Millrace

@Suite struct StandardErrorLogTests {
    /// What one logger writes, at 2026-11-22T10:00:00.007Z.
    private func lines(_ settings: LogSettings, _ body: (Logger) -> Void) -> [String] {
        let sink = Sink()
        let clock = WallClock { UnixTime(nanoseconds: 1_795_341_600_007_000_000) }
        body(Logger(label: "t") { _ in StandardErrorLog(settings: settings, clock: clock, write: sink.append) })
        return sink.lines.withLock { $0 }
    }

    private final class Sink: Sendable {
        let lines = Mutex([String]())
        @Sendable func append(_ line: String) { lines.withLock { $0.append(line) } }
    }

    @Test func `a record is one line of text`() {
        let written = lines(LogSettings()) { logger in
            logger.info("listening", metadata: ["address": "127.0.0.1:4318", "why": "it was\nasked to", "none": ""])
            logger.error("forged\n2026 INFO record")
            logger.debug("not important enough")
        }
        #expect(
            written == [
                #"2026-11-22T10:00:00.007Z INFO     listening address=127.0.0.1:4318 none="" why="it was\nasked to""#,
                #"2026-11-22T10:00:00.007Z ERROR    forged\n2026 INFO record"#,
            ]
        )
    }

    @Test func `a record is one line of JSON`() {
        let written = lines(LogSettings(level: .debug, format: .json)) { logger in
            var logger = logger
            logger[metadataKey: "receiver"] = "otlp"
            logger.debug("said \"hello\"", metadata: ["count": "3"])
        }
        #expect(
            written == [
                #"{"time":"2026-11-22T10:00:00.007Z","level":"debug","message":"said \"hello\"","count":"3","receiver":"otlp"}"#
            ]
        )
    }
}

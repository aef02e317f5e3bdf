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
                #"2026-11-22T10:00:00.007Z INFO     listening address=127.0.0.1:4318 none="" why="it was asked to""#,
                #"2026-11-22T10:00:00.007Z ERROR    forged 2026 INFO record"#,
            ]
        )
    }

    @Test(arguments: [LogFormat.text, .json])
    func `no client forges a record or drives a terminal`(format: LogFormat) {
        let hostile = "a\u{1B}[2J\n2026 ERROR forged\u{9B}31m\u{7F}\u{202E}\u{2066}\u{2028}\r\u{85}b"
        let written = lines(LogSettings(format: format)) { logger in
            logger.info("\(hostile)", metadata: ["agent": "\(hostile)", "\(hostile)": "1"])
        }
        #expect(written.count == 1)
        for scalar in (written.first ?? "").unicodeScalars {
            #expect(scalar.value >= 0x20 && !(0x7F..<0xA0).contains(scalar.value) && scalar.value < 0x2000)
        }
        #expect(
            written.first?.contains(format == .text ? "INFO     a [2J 2026 ERROR forged 31m b" : "forged\\u009b31m")
                == true
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

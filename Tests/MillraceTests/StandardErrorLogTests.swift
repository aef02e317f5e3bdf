import Basics
import Configuration
import Logging
import Synchronization
import Testing

@testable import Millrace

@Suite struct StandardErrorLogTests {
    /// What one logger writes, at 2026-11-22T10:00:00.007Z.
    private func lines(_ settings: LogSettings, _ body: (Logger) -> Void) -> [String] {
        let written = Written()
        let clock = WallClock { UnixTime(nanoseconds: 1_795_341_600_007_000_000) }
        let sink = LogSink(output: written.append)
        body(Logger(label: "t") { _ in StandardErrorLog(settings: settings, clock: clock, sink: sink) })
        sink.flush()
        return written.lines.withLock { $0 }
    }

    private final class Written: Sendable {
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

    @Test func `one place of the program does not fill the log`() {
        let written = lines(LogSettings()) { logger in
            for number in 0..<30 {
                logger.info("often", metadata: ["number": "\(number)"])
                if number == 29 { logger.info("elsewhere") }
            }
        }
        #expect(written.count == 21)
        #expect(written.last?.hasSuffix("elsewhere") == true)
    }

    @Test func `whoever logs waits for no output, and what finds no room is counted`() {
        let (written, proceed, begun) = (Written(), ThreadSignal(), ThreadSignal())
        let sink = LogSink { line in
            begun.signal()
            proceed.wait()
            written.append(line)
        }
        let large = String(repeating: "x", count: LogSink.bytesMax)
        let places = (1...5).map { LogSink.Place(file: "f", line: $0) }
        #expect(sink.admit(places[0]) == 0)
        sink.write(large)
        #expect(begun.wait(for: .seconds(30)))
        #expect(sink.admit(places[1]) == nil)
        #expect(sink.admit(places[2]) == nil)
        proceed.signal()
        sink.flush()
        #expect(sink.admit(places[3]) == 2)
        #expect(sink.admit(places[4]) == 0)
        #expect(written.lines.withLock { $0 } == [large])
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

import Basics
import OTLP
import Testing

@testable import Receivers

@Suite struct `Records of a file` {
    private typealias Finding = RecordSplitter.Finding

    /// What stands in `content`, which comes in pieces of that many bytes.
    private func findings(
        _ content: [UInt8],
        pieces: Int,
        max: Int = 100,
        start: Int = 0,
        isWhole: Bool = true
    ) -> [Finding] {
        var splitter = RecordSplitter(recordMax: ByteCount(bytes: max), start: start)
        var findings: [Finding] = []
        for first in stride(from: 0, to: content.count, by: pieces) {
            splitter.append(content[first..<min(first + pieces, content.count)])
            while let finding = splitter.finding(isWhole: false) { findings.append(finding) }
        }
        while let finding = splitter.finding(isWhole: isWhole) { findings.append(finding) }
        return findings
    }

    private func line(_ text: String, _ start: Int, _ end: Int, isEnded: Bool = true) -> Finding {
        .record(.init(bytes: Array(text.utf8), start: start, end: end, isJSON: true, isEnded: isEnded))
    }

    @Test(arguments: [1, 2, 3, 7, 100])
    func `are lines, of which empty ones are none`(pieces: Int) {
        let content = Array("\n{\"a\":1}\r\n  \n{}\n{\"b\"".utf8)
        let ended = [line("{\"a\":1}\r", 1, 10), line("{}", 13, 16)]
        #expect(findings(content, pieces: pieces) == ended + [line("{\"b\"", 16, 20, isEnded: false)])
        #expect(findings(content, pieces: pieces, isWhole: false) == ended)
        #expect(findings(Array("{}\n".utf8), pieces: pieces, start: 50) == [line("{}", 50, 53)])
    }

    @Test(arguments: [1, 3, 8, 100])
    func `are messages behind their lengths`(pieces: Int) {
        let content: [UInt8] = [0, 0, 0, 2, 10, 0] + [0, 0, 0, 0] + [0, 0, 0, 3, 1]
        let whole: [Finding] = [
            .record(.init(bytes: [10, 0], start: 0, end: 6, isJSON: false)),
            .record(.init(bytes: [], start: 6, end: 10, isJSON: false)),
        ]
        let cut = Finding.broken(start: 10, reason: "the last message is cut off after 5 bytes")
        #expect(findings(content, pieces: pieces) == whole + [cut])
        #expect(findings(content, pieces: pieces, isWhole: false) == whole)
    }

    @Test(arguments: [1, 5, 100])
    func `have a longest one`(pieces: Int) {
        let long = "{" + String(repeating: "x", count: 30)
        let reason = "the line is longer than 20B"
        #expect(
            findings(Array("{}\n\(long)\n{}\n\(long)".utf8), pieces: pieces, max: 20) == [
                line("{}", 0, 3), .skipped(start: 3, end: 35, reason: reason), line("{}", 35, 38),
                .skipped(start: 38, end: 69, reason: reason),
            ]
        )
        let broken = findings([0, 0, 0, 21] + Array(repeating: 0, count: 30), pieces: pieces, max: 20)
        #expect(broken.count == 1)
        if case .broken(start: 0, let reason) = broken.first {
            #expect(reason.contains("21 bytes is more than max_body (20B)"))
        } else {
            Issue.record("\(broken)")
        }
    }

    @Test(arguments: [
        (#"{"resourceLogs": [],"#, Signal.logs), (#"{"x": {"resourceSpans": 1}, "resource_metrics": []}"#, .metrics),
        (#"{"resourceSpans": [{"a"#, .traces), (#"{"x": 1}"#, nil), ("[]", nil), ("", nil),
    ])
    func `say their signal`(json: String, signal: Signal?) {
        #expect(Signal(ofRequest: Array(json.utf8).span.bytes) == signal)
    }
}

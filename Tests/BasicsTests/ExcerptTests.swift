import Basics
import Glibc
import Testing

@Suite struct `What clients sent, shown to people` {
    /// Line ends, C0, DEL, C1, separators, and what turns the direction of text.
    private static let controls: [UInt32] =
        Array(0..<0x20) + Array(0x7F..<0xA0) + [0x061C, 0x200E, 0x200F] + Array(0x2028...0x202E)
        + Array(0x2066...0x2069)

    @Test func `an excerpt holds nothing that a terminal acts on, and is one line`() {
        for value in Self.controls {
            let text = "a" + String(Unicode.Scalar(value).map(Character.init) ?? "?") + "b"
            #expect(text.excerpt() == "a b", "\(value)")
        }
        #expect("\u{1B}]0;title\u{07}\u{9B}31m\r\n".excerpt() == "]0;title 31m")
    }

    @Test func `an excerpt is bounded however its characters are made`() {
        let tower = "e" + String(repeating: "\u{0301}", count: 100_000)
        #expect((tower + "x").excerpt(max: 10) == "ex")
        #expect("👨‍👩‍👧‍👦 é 🇩🇪".excerpt() == "👨‍👩‍👧‍👦 é 🇩🇪")
        #expect(String(repeating: "ab ", count: 9).excerpt(max: 4) == "ab a…")
    }

    @Test func `output keeps its lines and loses what a terminal acts on`() {
        #expect("a\n\tb\u{1B}[2J\u{202E}c\r\n".withoutControls == "a\n\tb\u{FFFD}[2J\u{FFFD}c\u{FFFD}\n")
        #expect("plain ä\n".withoutControls == "plain ä\n")
    }

    @Test func `JSON keeps its value and loses what a terminal acts on`() throws {
        for value in Self.controls {
            var writer = JSONWriter()
            let text = "a" + String(Unicode.Scalar(value).map(Character.init) ?? "?") + "b"
            writer.string(text)
            let escaped = writer.text.escapingControlsInJSON
            #expect(escaped.unicodeScalars.allSatisfy { !Self.controls.contains($0.value) }, "\(value)")
            #expect(try JSONNode(parsing: Array(escaped.utf8)).string == text, "\(value)")
        }
        #expect("{\n\t\"a\": 1}".escapingControlsInJSON == "{\n\t\"a\": 1}")
    }
}

@Suite struct `Open files` {
    @Test func `the limit is raised to what the system allows`() {
        var limit = rlimit()
        #expect(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
        var lowered = rlimit(rlim_cur: limit.rlim_max - 1, rlim_max: limit.rlim_max)
        #expect(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &lowered) == 0)
        #expect(ProcessUsage.raiseDescriptorLimit() == Int(clamping: limit.rlim_max))
        #expect(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &lowered) == 0)
        #expect(lowered.rlim_cur == limit.rlim_max)
    }
}

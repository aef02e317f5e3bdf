import Basics
import Testing

@testable import Conditions

/// What `matches` takes, and that what it costs is bounded by the pattern and linear in the text.
@Suite struct RegularExpressionTests {
    private func finds(_ pattern: String, in text: String) throws -> Bool {
        let expression = try RegularExpression(pattern)
        let letters = Array(text.utf8)
        return expression.matches(letters.span.bytes, 0..<letters.count)
    }

    @Test(
        arguments: [
            // What extended regular expressions of POSIX have in common with RE2.
            ("b", "abc", true), ("^b", "abc", false), ("c$", "abc", true), ("^abc$", "abc", true), ("B", "abc", false),
            ("^a|c$", "xc", true), ("(ab){2}", "abab", true), ("^[[:alpha:]]+$", "abc", true), ("^[^a]$", "\n", true),
            ("a.c", "a\nc", true), ("^b", "a\nb", false), ("a$", "a\nb", false), (#"\."#, "a", false), ("", "", true),
            ("^$", "", true), ("^$", "a", false), ("x*", "", true),
            // What RE2 adds.
            ("(?i)ERROR", "an error", true), (#"^\d{3}$"#, "404", true), (#"\berror\b"#, "errors", false),
            ("^.$", "ü", true), ("^[äöü]$", "ö", true), ("(?m)^b", "a\nb", true), ("a\u{0}b", "a\u{0}b", true),
        ]
    )
    func `a pattern is found anywhere in the text`(pattern: String, text: String, expected: Bool) throws {
        #expect(try finds(pattern, in: text) == expected)
    }

    @Test func `only the range is searched, and bytes that are no UTF-8 do no harm`() throws {
        let expression = try RegularExpression("^b$")
        let letters: [UInt8] = Array("abc".utf8) + [0xFF, 0xC3]
        let found = [1..<2, 0..<5, 3..<5, 5..<5].map { expression.matches(letters.span.bytes, $0) }
        #expect(found == [true, false, false, false])
    }

    @Test(
        arguments: [
            ("(", "missing ): ("), ("*a", "no argument for repetition operator: *"),
            ("[z-a]", "invalid character class"),
            (#"(a)\1"#, #"invalid escape sequence: \1"#), ("a**", "bad repetition operator: **"),
            ("a{1001}", "invalid repetition size: {1001}"),
        ]
    )
    func `RE2 says what is wrong with a pattern`(pattern: String, reason: String) {
        let error = #expect(throws: PatternError.self) { try RegularExpression(pattern) }
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    }

    @Test func `the size of a pattern's program bounds what a byte may cost`() throws {
        for pattern in ["[ab]{240}", ".{0,30}", #"(?i)(pass|secret|token)[a-z_]*\s*[:=]\s*[^\s]{8,}"#] {
            #expect(throws: Never.self) { try RegularExpression(pattern) }
        }
        for pattern in ["[ab]{251}", ".{0,100}", #"((a{0,30}){0,30}){0,30}"#, #"\pL{50}"#, "(((a?){30}){30}){30}$"] {
            let error = #expect(throws: PatternError.self) { try RegularExpression(pattern) }
            let reason = error?.reason ?? ""
            let isTooLarge = ["at most 250 are allowed", "too large", "invalid repetition size"].contains(
                where: reason.contains
            )
            #expect(isTooLarge, "\(pattern): \(reason)")
        }
    }

    @Test func `a search without tables costs what it takes longer`() throws {
        var generator = SystemRandomNumberGenerator()
        let letters = (0..<1 << 15).map { _ in Bool.random(using: &generator) ? UInt8(ascii: "a") : UInt8(ascii: "b") }
        func cost(_ pattern: String) throws -> Int {
            var cost = 0
            let expression = try RegularExpression(pattern)
            _ = expression.firstMatch(in: letters.span.bytes, 0..<letters.count, from: 0, cost: &cost)
            return cost
        }
        // By the thread's own time, which another thread on the same core may lengthen.
        let usual = try (0..<20).map { _ in try cost("a{1,3}z") }.min()
        #expect(usual == letters.count)
        #expect(try cost("[ab]*(a[ab]{60}x)|a") > 10 * letters.count)
    }

    @Test func `one expression is searched with by many threads at once`() async throws {
        let expression = try RegularExpression("(a|b)*a(a|b){12}c$")
        let found = await withTaskGroup(of: Int.self) { group in
            for seed in 0..<8 {
                group.addTask {
                    var generator = UInt64(seed + 1)
                    return (0..<100).reduce(0) { count, round in
                        let letters = (0..<500).map { _ -> UInt8 in
                            generator = generator &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                            return generator >> 63 == 0 ? UInt8(ascii: "a") : UInt8(ascii: "b")
                        }
                        let end = Array((round.isMultiple(of: 2) ? "abbbbbbbbbbbbc" : "bbbbbbbbbbbbbbc").utf8)
                        let text = letters + end
                        let isThere = expression.matches(text.span.bytes, 0..<text.count)
                        return count + (isThere == round.isMultiple(of: 2) ? 1 : 0)
                    }
                }
            }
            return await group.reduce(0, +)
        }
        #expect(found == 800)
    }
}

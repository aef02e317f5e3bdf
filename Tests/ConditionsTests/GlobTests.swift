import Conditions
import Testing

struct GlobTests {
    @Test(
        arguments: [
            ("shop", "shop", true), ("shop", "shops", false), ("", "", true), ("*", "", true), ("*", "anything", true),
            ("shop-*", "shop-eu", true), ("shop-*", "shop", false), ("*-eu", "shop-eu", true),
            ("*-eu", "shop-eu2", false),
            ("a*b*c", "aXbYbZc", true), ("a*b*c", "aXcYb", false), ("??", "ab", true), ("??", "a", false),
            ("?", "ü", true),
            ("?ber", "über", true), ("**", "x", true), ("a?*", "a", false), ("a.c", "abc", false),
        ]
    )
    func `a pattern covers the whole value`(pattern: String, value: String, matches: Bool) {
        #expect(Glob(pattern).matches(value) == matches)
    }

    @Test func `a hostile pattern takes no more than the product of the lengths`() {
        let pattern = Glob(String(repeating: "*a", count: 200) + "b")
        #expect(!pattern.matches(String(repeating: "a", count: 5000)))
    }
}

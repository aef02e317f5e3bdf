import Basics
import Testing

@Suite struct JSONTests {
    @Test(arguments: [
        #"{"a":[1,-2.5e3,"x\n\u00e9\ud83d\ude00",true,false,null,{}],"b":[]}"#, "[]", "0", #""""#, " {\n} ",
    ])
    func `valid text parses`(text: String) throws {
        _ = try JSONNode(parsing: Array(text.utf8))
    }

    @Test(arguments: [
        ("", 0), ("[1,]", 3), ("{\"a\"}", 4), ("01", 0), ("[1 2]", 3), ("{,}", 1), ("\"a", 2), ("tru", 0), ("1.", 1),
        ("[1]]", 3), ("\"\u{1}\"", 1), (#""\x""#, 1), ("{\"a\":1,}", 7), ("[}", 1), ("{]", 1), ("nul", 0),
    ])
    func `broken text is refused where it breaks`(text: String, offset: Int) {
        let error = #expect(throws: JSONSyntaxError.self) { try JSONNode(parsing: Array(text.utf8)) }
        #expect(error?.offset == offset)
    }

    @Test func `nesting is limited`() {
        let deep = String(repeating: "[", count: 64) + String(repeating: "]", count: 64)
        #expect(throws: JSONSyntaxError.self) { try JSONNode(parsing: Array(deep.utf8)) }
    }

    @Test func `ill-formed UTF-8 is refused`() {
        #expect(throws: JSONSyntaxError.self) { try JSONNode(parsing: [0x22, 0x61, 0xFF, 0x22]) }
    }

    @Test func `escapes are resolved`() throws {
        let node = try JSONNode(parsing: Array(#""a\"\\\/\b\f\n\r\t\u0041\ud83d\ude00\ud800""#.utf8))
        #expect(node.string == "a\"\\/\u{8}\u{c}\n\r\tA😀\u{FFFD}")
    }

    @Test func `what is written reads back`() throws {
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("text")
        writer.string("\"\\\n\r\t\u{1}é")
        writer.key("list" as String)
        writer.beginArray()
        writer.integer(-7)
        writer.double(0.1)
        writer.double(.nan)
        writer.bool(true)
        writer.endArray()
        writer.endObject()
        let node = try JSONNode(parsing: writer.bytes)
        #expect(node["text"]?.string == "\"\\\n\r\t\u{1}é")
        #expect(node["list"]?.elements?.count == 4)
        #expect(node["list"]?.elements?[0].integer == -7)
        #expect(node["list"]?.elements?[1].double == 0.1)
    }
}

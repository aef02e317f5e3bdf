import Basics
import Testing

@Suite struct HMACTests {
    /// Test cases 2 and 6 of RFC 4231.
    @Test(arguments: [
        (
            Array("Jefe".utf8), "what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        ),
        (
            [UInt8](repeating: 0xAA, count: 131), "Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        ),
    ])
    func `codes are those of RFC 4231`(key: [UInt8], text: String, code: String) {
        let padded = Array("<\(text)>".utf8)
        #expect(HMAC.sha256(padded.span.bytes, 1..<padded.count - 1, key: key) == code)
    }

    @Test func `nothing has a code too`() {
        let empty: [UInt8] = []
        #expect(HMAC.sha256(empty.span.bytes, 0..<0, key: [1])?.count == 64)
    }
}

import Basics
import Testing

@Suite struct CRC32CTests {
    @Test(arguments: [("", 0), ("123456789", 0xE306_9283), ("a", 0xC1D0_4330)] as [(String, UInt32)])
    func `published check values come out`(text: String, expected: UInt32) {
        var crc = CRC32C()
        crc.update(Array(text.utf8).span.bytes)
        #expect(crc.value == expected)
    }

    @Test func `long texts give the same as many short pieces`() {
        let bytes = (0..<20_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 7) }
        var whole = CRC32C()
        whole.update(bytes.span.bytes)
        var pieces = CRC32C()
        for start in stride(from: 0, to: bytes.count, by: 7) {
            pieces.update(Array(bytes[start..<min(start + 7, bytes.count)]).span.bytes)
        }
        #expect(whole.value == pieces.value)
    }

    @Test func `pieces give the same as the whole`() {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        var whole = CRC32C(salt: 5)
        whole.update(bytes.span.bytes)
        var pieces = CRC32C(salt: 5)
        pieces.update(Array(bytes[..<333]).span.bytes)
        pieces.update(Array(bytes[333...]).span.bytes)
        #expect(pieces.value == whole.value)
    }
}

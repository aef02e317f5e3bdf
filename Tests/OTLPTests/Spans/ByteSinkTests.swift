import Basics
import OTLP
import Testing

struct ByteSinkTests {
    @Test(arguments: [0, 1, 127, 128, 300, 16_383, 16_384, 70_000], 1...3)
    func `a length is written in its shortest form whatever room was left`(length: Int, reserved: Int) {
        var sink = ByteSink()
        sink.write(atMost: 8) { writer in
            writer.byte(0x0A)
            writer.skip(reserved)
        }
        let start = sink.count
        let content = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 7) }
        sink.write(atMost: length) { $0.bytes(content.span.bytes, 0..<length) }
        sink.close(start, reserved: reserved)
        sink.write(atMost: 1) { $0.byte(0xEE) }
        let expected = [UInt8](atMost: length + 16) { writer in
            writer.byte(0x0A)
            writer.varint(length)
            writer.bytes(content.span.bytes, 0..<length)
            writer.byte(0xEE)
        }
        let written = sink.withBytes { bytes in (0..<bytes.byteCount).map { bytes.byte(at: $0) } }
        #expect(written == expected)
    }

    @Test(arguments: [0x00, 0x1F, 0x22, 0x5C, 0x80, 0xFF] as [UInt8])
    func `a plain run ends at the first byte that JSON escapes, wherever it stands`(stop: UInt8) {
        for length in [1, 7, 8, 31, 32, 33, 64, 100] {
            for position in 0..<length {
                var text = (0..<length).map { [0x20, 0x21, 0x23, 0x5B, 0x5D, 0x7F][$0 % 6] as UInt8 }
                #expect(text.span.bytes.endOfPlainRun(from: 0, to: length) == length)
                text[position] = stop
                #expect(text.span.bytes.endOfPlainRun(from: 0, to: length) == position)
            }
        }
    }

    @Test(arguments: [0x00, 0x1F, 0x22, 0x5C] as [UInt8])
    func `the inside of a string ends at the first byte that must be escaped, wherever it stands`(stop: UInt8) {
        for length in [1, 7, 8, 31, 32, 33, 39, 40, 64, 100] {
            for position in 0..<length {
                var text = (0..<length).map { [0x20, 0x21, 0x23, 0x5B, 0x80, 0xFF][$0 % 6] as UInt8 }
                #expect(text.span.bytes.endOfStringRun(from: 0, to: length) == length)
                text[position] = stop
                #expect(text.span.bytes.endOfStringRun(from: 0, to: length) == position)
            }
        }
    }

    @Test func `one byte over 0x7F is found wherever it stands`() {
        for length in 1...100 {
            for position in 0..<length {
                var text = [UInt8](repeating: 0x7F, count: length)
                let isASCII = text.span.bytes.isASCII(0..<length)
                text[position] = 0x80
                let isStillASCII = text.span.bytes.isASCII(0..<length)
                #expect(isASCII && !isStillASCII)
            }
        }
    }

    @Test func `one byte that differs is found wherever it stands`() {
        for length in 0...70 {
            let text = (0..<length).map { UInt8($0) }
            let isSame = text.span.bytes.isSame(0..<length, as: text.span.bytes, 0..<length)
            #expect(isSame)
            for position in 0..<length {
                var other = text
                other[position] ^= 0x80
                let isStillSame = text.span.bytes.isSame(0..<length, as: other.span.bytes, 0..<length)
                #expect(!isStillSame)
            }
        }
    }

    @Test func `a copy keeps what it had when the other is written to`() {
        var sink = ByteSink()
        sink.write(atMost: 2) { $0.pair(1, 2) }
        var copy = sink
        copy.own()
        copy.write(atMost: 1) { $0.byte(3) }
        sink.own()
        sink.write(atMost: 1) { $0.byte(4) }
        let written = [sink, copy].map { sink in
            sink.withBytes { bytes in (0..<bytes.byteCount).map { bytes.byte(at: $0) } }
        }
        #expect(written == [[1, 2, 4], [1, 2, 3]])
    }
}

import Basics
import NIOCore
import Testing

@testable import NATS

@Suite struct NATSParserTests {
    @Test func `ping`() throws {
        var parser = NATSParser()
        parser.append(ByteBuffer(string: "PING\r\n"))
        #expect(try parser.next() == .ping)
    }
}

import Basics
import NIOCore
import Testing

@testable import NATS

@Suite struct NATSParserTests {
    private static let headers = "NATS/1.0\r\nNats-Pin-Id: abc\r\nX:y : z \r\n\r\n"

    /// What servers say, and what is read of it.
    private static let stream: [(text: String, operation: NATSOperation)] = [
        ("INFO {\"headers\":true} \r\n", .info(Array("{\"headers\":true} ".utf8))),
        ("PING\r\n", .ping),
        ("pong\r\n", .pong),
        ("+OK\r\n", .okay),
        ("-ERR 'Authorization Violation'\r\n", .error("Authorization Violation")),
        ("MSG a.b 7 0\r\n\r\n", .message(NATSMessage(subject: "a.b", subscription: 7, payload: []))),
        (
            "MSG a.b\t7  reply 4\r\n\r\nhi\r\n",
            .message(NATSMessage(subject: "a.b", subscription: 7, reply: "reply", payload: Array("\r\nhi".utf8)))
        ),
        (
            "HMSG a 1 r \(headers.utf8.count) \(headers.utf8.count + 2)\r\n\(headers)ok\r\n",
            .message(
                NATSMessage(
                    subject: "a",
                    subscription: 1,
                    reply: "r",
                    headers: [HTTPHeader("Nats-Pin-Id", "abc"), HTTPHeader("X", "y : z")],
                    payload: Array("ok".utf8)
                )
            )
        ),
        (
            "HMSG a 1 28 28\r\nNATS/1.0 503 No Answer !\r\n\r\n\r\n",
            .message(
                NATSMessage(
                    subject: "a",
                    subscription: 1,
                    status: NATSStatus(code: 503, text: "No Answer !"),
                    payload: []
                )
            )
        ),
    ]

    @Test(arguments: [1, 2, 3, 7, 50, 10_000])
    func `the pieces in which a stream comes change nothing`(size: Int) throws {
        let bytes = Self.stream.flatMap { Array($0.text.utf8) }
        var parser = NATSParser()
        var operations: [NATSOperation] = []
        for start in stride(from: 0, to: bytes.count, by: size) {
            parser.append(ByteBuffer(bytes: bytes[start..<min(start + size, bytes.count)]))
            while let operation = try parser.next() { operations.append(operation) }
        }
        #expect(operations == Self.stream.map(\.operation))
        #expect(parser.unread == 0)
    }

    @Test(arguments: [
        "HTTP/1.1 400 Bad Request\r\n",
        "\r\n",
        "PING\n",
        "MSG a 1\r\n",
        "MSG a 1 2 3 4\r\n",
        "MSG a 1 -1\r\n",
        "MSG a x 1\r\n",
        "MSG a 1 99999999999999999999\r\n",
        "MSG a 1 2048\r\n",
        "MSG a 1 1\r\nabc",
        "HMSG a 1 5 4\r\n",
        "HMSG a 1 300 400\r\n",
        "MSG " + String(repeating: "a", count: 600),
        "INFO " + String(repeating: "a", count: 2000),
    ])
    func `what is no NATS, or over a limit, is an error that stays`(text: String) throws {
        var parser = NATSParser(limits: NATSParser.Limits(line: 512, info: 1024, message: 1024, headers: 256))
        parser.append(ByteBuffer(string: text))
        let error = try #require(throws: NATSProtocolError.self) { while try parser.next() != nil {} }
        parser.append(ByteBuffer(string: "PING\r\n"))
        #expect(throws: error) { try parser.next() }
        #expect(parser.unread <= 6)
    }

    @Test(arguments: [
        "abcd", "NATS/1.0\r\n\r\r", "NATS/1.0\r\nnone\r\n\r\n", "NATS/1.0\r\n:none\r\n\r\n", "NATS/2.0\r\n\r\n",
    ])
    func `headers that cannot be read are none`(headers: String) throws {
        var parser = NATSParser()
        let (size, total) = (headers.utf8.count, headers.utf8.count + 2)
        parser.append(ByteBuffer(string: "HMSG a 1 \(size) \(total)\r\n\(headers)ok\r\nPING\r\n"))
        let operation = try parser.next()
        guard case .message(let message) = operation else {
            Issue.record("\(String(describing: operation))")
            return
        }
        #expect(message.headers.isEmpty && message.status == nil && message.payload == Array("ok".utf8))
        #expect(try parser.next() == .ping)
    }

    @Test func `what is written is read back, and a header's line ends are none`() throws {
        var buffer = ByteBuffer()
        buffer.writePublication(to: "a.b", reply: "c", headers: [HTTPHeader("N", "x\r\nEvil: 1 é")], [1, 2, 3])
        let text = String(buffer: buffer)
        #expect(text.hasPrefix("HPUB a.b c 30 33\r\n"))
        var parser = NATSParser()
        parser.append(ByteBuffer(string: "HMSG a.b 1 c 30 33\r\n" + text.dropFirst("HPUB a.b c 30 33\r\n".count)))
        guard case .message(let message) = try parser.next() else {
            Issue.record("no message")
            return
        }
        #expect(message.headers == [HTTPHeader("N", "x  Evil: 1 é")])
        #expect(message.payload == [1, 2, 3])
    }

    @Test(arguments: [
        ("$JS.ACK.S.c-0.3.17.5.1796031555259241569.0", 3, 17),
        ("$JS.ACK.hub.ACCOUNT.S.c-0.2.9.5.1796031555259241569.0", 2, 9),
        ("$JS.ACK.hub.ACCOUNT.S.c-0.2.9.5.1796031555259241569.0.random", 2, 9),
    ])
    func `the subject of an acknowledgement says how often a message came`(reply: String, times: Int, sequence: UInt64)
    {
        let message = NATSMessage(subject: "mr.0", subscription: 1, reply: reply, payload: [])
        let delivery = JetStreamDelivery(message)
        #expect(delivery?.deliveries == times)
        #expect(delivery?.sequence == sequence)
        #expect(delivery?.reply == reply)
    }
}

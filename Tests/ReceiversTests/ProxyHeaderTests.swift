import Basics
import Pipeline
import TestKit
import Testing

@testable import Receivers

/// Headers of version 2 as a balancer sends them.
enum BinaryHeader {
    static func make(_ command: UInt8, _ family: UInt8, _ content: [UInt8], length: Int? = nil) -> [UInt8] {
        let length = length ?? content.count
        let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
        return signature + [command, family, UInt8(length >> 8), UInt8(length & 255)] + content
    }

    static func ipv4(_ source: [UInt8], tail: [UInt8] = []) -> [UInt8] {
        make(0x21, 0x11, source + [127, 0, 0, 1, 0x12, 0x34, 0x10, 0xDE] + tail)
    }

    static func ipv6(_ source: [UInt8], tail: [UInt8] = []) -> [UInt8] {
        make(0x21, 0x21, source + [UInt8](repeating: 0, count: 16) + [0x12, 0x34, 0x10, 0xDE] + tail)
    }
}

/// A header, and who it says the client is.
struct HeaderCase: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    let source: ProxyHeaderParser.Source

    init(_ name: String, _ bytes: [UInt8], _ source: ProxyHeaderParser.Source) {
        (testDescription, self.bytes, self.source) = (name, bytes, source)
    }

    private static func address(_ text: String) -> ProxyHeaderParser.Source {
        IPAddress(text: text).map { .address($0) } ?? .balancer
    }

    private static let sixteen: [UInt8] = [0x20, 1, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [7]
    private static let mapped: [UInt8] = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 192, 0, 2, 7]
    private static let tail: [UInt8] = [0x04, 0, 2, 1, 2, 0xEE, 0xFF, 0xFF]

    static let all = [
        HeaderCase("TCP4", Array("PROXY TCP4 192.0.2.7 127.0.0.1 56324 4318\r\n".utf8), address("192.0.2.7")),
        HeaderCase("TCP6", Array("PROXY TCP6 2001:db8::7 ::1 0 65535\r\n".utf8), address("2001:db8::7")),
        HeaderCase("TCP6, mapped", Array("PROXY TCP6 ::ffff:192.0.2.7 ::1 1 2\r\n".utf8), address("192.0.2.7")),
        HeaderCase("UNKNOWN", Array("PROXY UNKNOWN\r\n".utf8), .balancer),
        HeaderCase("UNKNOWN and more", Array("PROXY UNKNOWN ffff::1 a b c\r\n".utf8), .balancer),
        HeaderCase("IPv4", BinaryHeader.ipv4([192, 0, 2, 7]), address("192.0.2.7")),
        HeaderCase("IPv4 with more", BinaryHeader.ipv4([192, 0, 2, 7], tail: tail), address("192.0.2.7")),
        HeaderCase(
            "the longest",
            BinaryHeader.ipv4([192, 0, 2, 7], tail: [UInt8](repeating: 1, count: 4084)),
            address("192.0.2.7")
        ),
        HeaderCase("IPv6", BinaryHeader.ipv6(sixteen, tail: tail), address("2001:db8::7")),
        HeaderCase("IPv6, mapped", BinaryHeader.ipv6(mapped), address("192.0.2.7")),
        HeaderCase("unix", BinaryHeader.make(0x21, 0x31, [UInt8](repeating: 0, count: 216)), .unix),
        HeaderCase("no family", BinaryHeader.make(0x21, 0, []), .balancer),
        HeaderCase("no family, with more", BinaryHeader.make(0x21, 0, tail), .balancer),
        HeaderCase("local", BinaryHeader.make(0x20, 0, []), .balancer),
        HeaderCase("local with addresses", BinaryHeader.make(0x20, 0x11, [9, 9, 9, 9] + tail + tail), .balancer),
    ]
}

@Suite struct `A PROXY header` {
    private static let rest = Array("POST /v1/traces".utf8)

    @Test(arguments: HeaderCase.all)
    func `is the same in one piece, byte by byte, and cut anywhere`(_ test: HeaderCase) throws {
        let stream = test.bytes + Self.rest
        for cut in 0...test.bytes.count {
            var parser = ProxyHeaderParser()
            let first = try parser.take(stream[..<cut])
            guard cut < test.bytes.count else {
                #expect(first == ProxyHeaderParser.Header(source: test.source, used: cut))
                continue
            }
            #expect(first == nil, "after \(cut) bytes")
            let used = test.bytes.count - cut
            #expect(try parser.take(stream[cut...]) == ProxyHeaderParser.Header(source: test.source, used: used))
        }
        var parser = ProxyHeaderParser()
        for byte in test.bytes.dropLast() { #expect(try parser.take([byte]) == nil) }
        let last = try parser.take(test.bytes.suffix(1))
        #expect(last == ProxyHeaderParser.Header(source: test.source, used: 1))
    }

    @Test(
        arguments: [
            ("POST /v1/traces", .missing), ("\u{16}\u{03}\u{01}", .missing), ("PROXYTCP4", .missing),
            ("\r\n\r\n\0\r\nQUIX", .missing), ("\r\nP", .missing),
            ("PROXY \r\n", .malformed), ("PROXY UNKNOWNX\r\n", .malformed), ("PROXY TCP4\r\n", .malformed),
            ("PROXY UNKNOWN\n", .malformed), ("PROXY \n", .malformed),
            ("PROXY TCP4 192.0.2.7 127.0.0.1 1 2 3\r\n", .malformed),
            ("PROXY TCP4  192.0.2.7 127.0.0.1 1\r\n", .malformed),
            ("PROXY TCP4 192.0.2.7 127.0.0.1 65536 1\r\n", .malformed),
            ("PROXY TCP4 192.0.2.7 127.0.0.1 -1 1\r\n", .malformed),
            ("PROXY TCP4 192.0.2 127.0.0.1 1 1\r\n", .malformed), ("PROXY TCP4 ::1 ::1 1 1\r\n", .malformed),
            ("PROXY TCP5 ::1 ::1 1 1\r\n", .malformed), ("PROXY tcp4 192.0.2.7 127.0.0.1 1 1\r\n", .malformed),
            ("PROXY UNKNOWN " + String(repeating: "a", count: 93), .tooLong),
        ] as [(String, ProxyHeaderParser.Failure)]
    )
    func `of version 1 is nothing else`(text: String, failure: ProxyHeaderParser.Failure) {
        var (whole, slow) = (ProxyHeaderParser(), ProxyHeaderParser())
        #expect(throws: failure) { _ = try whole.take(Array(text.utf8)) }
        #expect(throws: failure) { for byte in text.utf8 { _ = try slow.take([byte]) } }
    }

    @Test(
        arguments: [
            (BinaryHeader.make(0x11, 0x11, []), .malformed), (BinaryHeader.make(0x22, 0x11, []), .malformed),
            (BinaryHeader.make(0x21, 0x12, [UInt8](repeating: 1, count: 12)), .malformed),
            (BinaryHeader.make(0x21, 0x41, [UInt8](repeating: 1, count: 12)), .malformed),
            (BinaryHeader.make(0x21, 0x11, [UInt8](repeating: 1, count: 11)), .malformed),
            (BinaryHeader.make(0x21, 0x21, [UInt8](repeating: 1, count: 35)), .malformed),
            (BinaryHeader.make(0x21, 0x31, [UInt8](repeating: 1, count: 215)), .malformed),
            (BinaryHeader.make(0x21, 0x11, [], length: 0), .malformed),
            (BinaryHeader.make(0x21, 0x11, [], length: 65_535), .tooLong),
            (BinaryHeader.make(0x20, 0x00, [], length: 4097), .tooLong),
        ] as [([UInt8], ProxyHeaderParser.Failure)]
    )
    func `of version 2 is nothing else`(bytes: [UInt8], failure: ProxyHeaderParser.Failure) {
        var (whole, slow) = (ProxyHeaderParser(), ProxyHeaderParser())
        #expect(throws: failure) { _ = try whole.take(bytes) }
        #expect(throws: failure) { for byte in bytes { _ = try slow.take([byte]) } }
    }

    @Test func `from random bytes takes no more than it says`() {
        var random = SeededGenerator(seed: 7)
        func below(_ limit: Int) -> Int { Int.random(in: 0..<limit, using: &random) }
        for _ in 0..<20_000 {
            var bytes = HeaderCase.all[below(HeaderCase.all.count)].bytes
            for _ in 0..<(1 + below(3)) { bytes[below(bytes.count)] = UInt8(below(256)) }
            var (parser, before) = (ProxyHeaderParser(), 0)
            while before < bytes.count {
                let end = min(bytes.count, before + 1 + below(40))
                let result = Result { () throws(ProxyHeaderParser.Failure) in try parser.take(bytes[before..<end]) }
                guard case .success(let header) = result else { break }
                if let header {
                    #expect(header.used > 0 && header.used <= end - before)
                    break
                }
                before = end
            }
        }
    }
}

@Suite struct `A load balancer` {
    private static func behind(_ ranges: String...) -> (inout OTLPHTTPReceiverSettings) -> Void {
        { $0.proxyProtocol = ranges.compactMap { AddressRange(text: $0) } }
    }

    @Test func `says who the client is, to all who ask`() async throws {
        let log = LogLines()
        try await withReceiver(log: log) {
            Self.behind("127.0.0.0/8")(&$0)
            $0.auth = AuthSettings()
            $0.auth?.bearer = [MemberSettings(name: "ann", secret: "token-a")]
        } _: { harness in
            let shown = ["Authorization: Bearer token-a"]
            let connection = try harness.connect()
            // In one piece with two requests.
            await connection.send(
                BinaryHeader.ipv4([192, 0, 2, 7]) + request(headers: shown, body: [1])
                    + request(headers: shown, body: [2])
            )
            for _ in 0..<2 { #expect(await connection.receive()?.status == 200) }
            let address = SourceAddress(IPAddress(text: "192.0.2.7"))
            #expect(harness.intake.received.map(\.source.address) == [address, address])
            let second = try harness.connect()
            await second.send(Array("PROXY TCP6 2001:db8::7 ::1 1 2\r\n".utf8) + request(body: [1]))
            #expect(await second.receive()?.status == 401)
        }
        let refusals = log.lines("a request is refused for its credentials")
        #expect(refusals.count == 1 && refusals[0].contains("source=2001:db8:0:0::/64"))
    }

    @Test func `may ask for itself, and pass on unix sockets`() async throws {
        try await withReceiver(ScriptedIntake(), Self.behind("127.0.0.1")) { harness in
            for header in [BinaryHeader.make(0x20, 0, []), Array("PROXY UNKNOWN\r\n".utf8)] {
                try await harness.expect(200, header + request(body: [1]))
            }
            let unix = BinaryHeader.make(0x21, 0x31, [UInt8](repeating: 0, count: 216))
            try await harness.expect(200, unix + request(body: [1]))
            let own = SourceAddress(IPAddress(text: "127.0.0.1"))
            #expect(harness.intake.received.map(\.source.address) == [own, own, .unknown])
        }
    }

    @Test func `without a header is closed, counted, and named once`() async throws {
        let log = LogLines()
        try await withReceiver(log: log, Self.behind("127.0.0.1")) { harness in
            for bytes in [request(body: [1]), request(body: [1]), BinaryHeader.make(0x21, 0x12, [])] {
                let connection = try harness.connect()
                await connection.send(bytes)
                #expect(await connection.receiveUntilClosed()?.isEmpty ?? true)
            }
            let cut = try harness.connect()
            await cut.send(Array(BinaryHeader.ipv4([192, 0, 2, 7]).prefix(20)))
            cut.closeOutput()
            #expect(await cut.receiveUntilClosed()?.isEmpty == true)
            let silent = try harness.connect()
            silent.closeOutput()
            #expect(await silent.receiveUntilClosed()?.isEmpty == true)
            #expect(harness.intake.received.isEmpty)
            let metrics = harness.meters.prometheusText()
            for (reason, count) in [("missing", 2), ("malformed", 1), ("truncated", 1), ("too_long", 0)] {
                let line = #"proxy_header_failures_total{reason="\#(reason)",receiver="otlp"} \#(count)"#
                #expect(metrics.contains(line), "\(reason)")
            }
        }
        let lines = log.lines("a load balancer in \"proxy_protocol\" opens")
        #expect(lines.count == 3 && lines.allSatisfy { $0.contains("balancer=127.0.0.1") })
    }

    @Test func `that is not named is answered 400, whatever it says`() async throws {
        try await withReceiver(ScriptedIntake(), Self.behind("192.0.2.0/24", "unix")) { harness in
            try await harness.expect(400, BinaryHeader.ipv4([192, 0, 2, 7]) + request(body: [1]))
            try await harness.expect(400, Array("PROXY TCP4 192.0.2.7 127.0.0.1 1 2\r\n".utf8) + request(body: [1]))
            try await harness.expect(200, request(body: [1]))
            #expect(harness.intake.received.first?.source.address == SourceAddress(IPAddress(text: "127.0.0.1")))
        }
    }

    @Test func `has the time of a head for its header`() async throws {
        try await withReceiver(ScriptedIntake()) {
            Self.behind("127.0.0.1")(&$0)
            $0.headerTimeout = .milliseconds(50)
        } _: { harness in
            let connection = try harness.connect()
            await connection.send(Array(BinaryHeader.ipv4([192, 0, 2, 7]).prefix(20)))
            #expect(await connection.receiveUntilClosed()?.isEmpty == true)
        }
    }

    @Test func `works over a unix socket`() async throws {
        let path = "/tmp/millrace-\(UInt64.random(in: 0...(.max))).sock"
        try await withReceiver(ScriptedIntake()) {
            Self.behind("unix")(&$0)
            $0.listen = .unix(path: path)
        } _: { harness in
            try await harness.expect(200, BinaryHeader.ipv4([192, 0, 2, 7]) + request(body: [1]))
            #expect(harness.intake.received.first?.source.address == SourceAddress(IPAddress(text: "192.0.2.7")))
        }
    }

    @Test func `gives each of its clients limits of their own`() async throws {
        try await withReceiver {
            Self.behind("127.0.0.1")(&$0)
            var limits = LimitSettings()
            limits.connections = 1
            $0.limits = limits
        } _: { harness in
            let first = try harness.connect()
            await first.send(BinaryHeader.ipv4([192, 0, 2, 7]) + request(body: [1]))
            #expect(await first.receive()?.status == 200)
            try await harness.expect(429, BinaryHeader.ipv4([192, 0, 2, 7]) + request(body: [1]))
            let other = try harness.connect()
            await other.send(BinaryHeader.ipv4([192, 0, 2, 8]) + request(body: [1]))
            #expect(await other.receive()?.status == 200)
        }
    }
}

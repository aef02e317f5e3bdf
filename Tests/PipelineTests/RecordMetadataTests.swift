import Basics
import Journal
import OTLP
import Pipeline
import Testing

@Suite struct RecordMetadataTests {
    private let full = RecordMetadata(
        signal: .traces,
        route: .experimentName("shop"),
        identity: "team-a",
        headers: [HTTPHeader("x-tenant", "7")],
        removed: [.filtered: 3, .sampledOut: 300]
    )

    @Test func `the form is pinned`() {
        let text = { (text: String) in [UInt8(text.utf8.count)] + Array(text.utf8) }
        let expected: [UInt8] =
            [1, 1] + text("shop") + text("team-a") + [3, 0xAC, 0x02, 1] + text("x-tenant") + text("7")
        #expect(full.encoded() == expected)
        var replay = full
        replay.replays = 300
        #expect(replay.encoded() == expected + [1, 0xAC, 0x02])
        #expect(RecordMetadata(decoding: replay.encoded()) == replay)
        var addressed = full
        addressed.address = SourceAddress(IPAddress(networkBytes: [10, 0, 0, 1]))
        #expect(addressed.encoded() == expected + [0, 0x81, 0x80, 0x80, 0x50])
        #expect(RecordMetadata(decoding: addressed.encoded()) == addressed)
        var traced = full
        traced.request = TraceContext(
            traceID: TraceID(high: 0x0102_0304_0506_0708, low: 9),
            spanID: SpanID(0x0A0B_0C0D_0E0F_1011)
        )
        let trace: [UInt8] = [1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 9, 10, 11, 12, 13, 14, 15, 16, 17]
        #expect(traced.encoded() == expected + [0, 0, 19, 24] + trace)
        #expect(RecordMetadata(decoding: traced.encoded()) == traced)
        for (showing, field) in [
            (TraceShowing.ahead, [0]),
            (
                .end(.init(changed: .init(items: 2, bytes: 300), same: .init(items: 1, bytes: 7), leads: true)),
                [1, 1, 2, 0xAC, 2, 1, 7]
            ),
        ] as [(TraceShowing, [UInt8])] {
            var shown = full
            shown.showing = showing
            #expect(shown.encoded() == expected + [0, 0, 20, UInt8(field.count)] + field)
            #expect(RecordMetadata(decoding: shown.encoded()) == shown)
            #expect(RecordMetadata(decoding: shown.encoded().dropLast()) == nil)
        }
        var bound = full
        (bound.experiments, bound.refusal) = (["a", "b*"], "no")
        let fields: [UInt8] = [0, 0, 21, 5, 1, 0x61, 2, 0x62, 0x2A, 22, 3, 2, 0x6E, 0x6F]
        #expect(bound.encoded() == expected + fields)
        #expect(RecordMetadata(decoding: bound.encoded()) == bound)
        var dropped = full
        dropped.tombstones = [
            Tombstone(SpanID(0x0102_0304_0506_0708), parent: SpanID(9), isParentRemote: true),
            Tombstone(
                SpanID(2),
                parent: nil,
                remains: RootRemains(start: 1, end: 0x0203, status: [0x7A, 2, 0x18, 2], exceptions: [0x5A, 0])
            ),
        ]
        let left: [UInt8] = [
            0, 0, 28, 58, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 9, 1,
            0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 2,
            0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 2, 3, 4, 0x7A, 2, 0x18, 2, 2, 0x5A, 0,
        ]
        #expect(dropped.encoded() == expected + left)
        #expect(RecordMetadata(decoding: dropped.encoded()) == dropped)
        #expect(RecordMetadata(decoding: dropped.encoded().dropLast()) == nil)
        replay.address = addressed.address
        #expect(replay.encoded() == expected + [1, 0xAC, 0x02, 0x81, 0x80, 0x80, 0x50])
        #expect(RecordMetadata(decoding: replay.encoded()) == replay)
    }

    @Test func `an address is that of the network that one client has`() {
        let mapped = [UInt8](repeating: 0, count: 10) + [0xFF, 0xFF, 10, 0, 0, 1]
        #expect(
            SourceAddress(IPAddress(networkBytes: mapped)) == SourceAddress(IPAddress(networkBytes: [10, 0, 0, 1]))
        )
        let network: [UInt8] = [0x20, 1, 0x0D, 0xB8, 0, 0, 0, 7]
        let hosts = (0..<2).map { host in SourceAddress(IPAddress(networkBytes: network + [0, 0, 0, 0, 0, 0, 0, host]))
        }
        #expect(hosts[0] == hosts[1])
        #expect(hosts[0].bits == 0x2001_0DB8_0000_0007)
        #expect(SourceAddress(IPAddress(networkBytes: [1, 2])) == .unknown)
    }

    @Test(arguments: [Route.none, .experimentName("a"), .experimentID("12")])
    func `what is written reads back`(route: Route) {
        var metadata = full
        metadata.route = route
        metadata.identity = nil
        #expect(RecordMetadata(decoding: metadata.encoded()) == metadata)
    }

    @Test func `bytes that a later version appends are ignored`() {
        var addressed = full
        addressed.address = SourceAddress(bits: 5)
        #expect(RecordMetadata(decoding: addressed.encoded() + [9, 9]) == addressed)
    }

    @Test func `cut or foreign bytes read as nothing`() {
        let bytes = full.encoded()
        for length in bytes.indices { #expect(RecordMetadata(decoding: Array(bytes[..<length])) == nil) }
        #expect(RecordMetadata(decoding: [9] + bytes.dropFirst()) == nil)
        #expect(RecordMetadata(decoding: [1, 0] + [UInt8](repeating: 0xFF, count: 12)) == nil)
    }
}

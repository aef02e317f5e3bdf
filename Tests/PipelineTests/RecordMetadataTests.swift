import Basics
import OTLP
import Pipeline
import Testing

@Suite struct RecordMetadataTests {
    private let full = RecordMetadata(
        signal: .traces,
        route: .experimentName("shop"),
        identity: "team-a",
        headers: [HTTPHeader("x-tenant", "7")],
        filtered: 3,
        sampledOut: 300
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
    }

    @Test(arguments: [Route.none, .experimentName("a"), .experimentID("12")])
    func `what is written reads back`(route: Route) {
        var metadata = full
        metadata.route = route
        metadata.identity = nil
        #expect(RecordMetadata(decoding: metadata.encoded()) == metadata)
    }

    @Test func `bytes that a later version appends are ignored`() {
        #expect(RecordMetadata(decoding: full.encoded() + [9, 9]) == full)
    }

    @Test func `cut or foreign bytes read as nothing`() {
        let bytes = full.encoded()
        for length in bytes.indices { #expect(RecordMetadata(decoding: Array(bytes[..<length])) == nil) }
        #expect(RecordMetadata(decoding: [9] + bytes.dropFirst()) == nil)
        #expect(RecordMetadata(decoding: [1, 0] + [UInt8](repeating: 0xFF, count: 12)) == nil)
    }
}

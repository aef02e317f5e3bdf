import Basics
import Testing

@testable import NATS

@Suite struct NATSAccessTests {
    /// Made with another implementation, of the bytes 0 to 31.
    private static let seed = "SUAAAAICAMCAKBQHBAEQUCYMBUHA6EARCIJRIFIWC4MBSGQ3DQOR4H776Y"

    @Test func `a key signs as others do`() throws {
        let signed = try #require(NKey(seed: Self.seed)?.sign("nonce-1"))
        #expect(signed.publicKey == "UAB2CB576PHBBPQ5ODORRZ2LYCMWPZGWGCN2KDK7DXOIMZASKUY3RLKK")
        let signature = "Aj/HcjDZwFlZktcyYu97JAgWYctxzcaFc0SikCYG0tfchHcFVhub4zZnHvakWWBUcdmRZEtv5hiISSzXSYZ5BA=="
        #expect(signed.signature.base64 == signature)
    }

    @Test(arguments: [
        "", "SUAA", seed + "A", String(seed.dropLast()) + "A", seed.lowercased(), "UAB2" + seed.dropFirst(4),
    ])
    func `a seed that was not copied whole is none`(text: String) {
        #expect(NKey(seed: text) == nil)
    }

    @Test(
        arguments: [
            ("nats://10.0.0.1:4300", "nats://10.0.0.1:4300"),
            ("tls://nats.example", "tls://nats.example:4222"),
            ("nats.example:1", "nats://nats.example:1"),
            ("nats://[::1]:4222/", "nats://[::1]:4222"),
            ("[::1]", "nats://[::1]:4222"),
            ("nats://ann:secret@host:4222", nil),
            ("http://host:4222", nil),
            ("nats://host:0", nil),
            ("", nil),
        ] as [(String, String?)]
    )
    func `an address of a server is read`(text: String, expected: String?) {
        #expect(NATSServer(text: text).map { "\($0)" } == expected)
    }
}

@Suite struct NATSServerInfoTests {
    @Test(
        arguments: [
            ("65536", 65_536), ("67108864", 67_108_864), ("67108865", 67_108_864), ("9223372036854775807", 67_108_864),
            ("0", 1_048_576), ("-1", 1_048_576), ("\"8MB\"", 1_048_576), ("1e99", 1_048_576),
        ] as [(String, Int)]
    )
    func `the largest message is bounded, whatever a server says`(text: String, expected: Int) throws {
        let info = try #require(NATSServerInfo(Array(#"{"max_payload":\#(text)}"#.utf8)))
        #expect(info.payloadMax == expected)
    }
}

@Suite struct RelayStreamTests {
    @Test(arguments: [
        (0x0123_4567_89AB_CDEF as UInt64, 0xFEDC_BA98_7654_3210 as UInt64, 16),
        (0, 1, 16),
        (.max, .max, 1000),
    ])
    func `a trace has the partition of its id in hexadecimal digits`(high: UInt64, low: UInt64, count: Int) {
        let digits = [high, low].map { word in
            let text = String(word, radix: 16)
            return String(repeating: "0", count: 16 - text.count) + text
        }
        let hash = digits.joined().utf8.reduce(0x811C_9DC5 as UInt32) { ($0 ^ UInt32($1)) &* 0x0100_0193 }
        let stream = RelayStream(name: "s", subject: "mr.s", partitions: count)
        #expect(stream.partition(high: high, low: low) == Int(hash % UInt32(count)))
        // What belongs to no trace goes by its resource, with the same hash.
        #expect(stream.partition(ofResource: Array(digits.joined().utf8)[...]) == Int(hash % UInt32(count)))
    }
}

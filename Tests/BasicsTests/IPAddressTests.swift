import Basics
import Testing

@Suite struct `IP addresses` {
    @Test(
        arguments: [
            ("192.0.2.7", [192, 0, 2, 7]),
            ("::ffff:192.0.2.7", [192, 0, 2, 7]),
            ("2001:db8::1", [0x20, 1, 0x0D, 0xB8] + [UInt8](repeating: 0, count: 11) + [1]),
            ("::", [UInt8](repeating: 0, count: 16)),
        ] as [(String, [UInt8])]
    )
    func `are read as text and as bytes, those of IPv4 in any form`(text: String, bytes: [UInt8]) throws {
        let address = try #require(IPAddress(text: text))
        #expect(address.networkBytes == bytes)
        #expect(IPAddress(networkBytes: bytes) == address)
        #expect(address.isIPv4 == (bytes.count == 4))
        #expect(IPAddress(text: "\(address)") == address)
    }

    @Test(arguments: ["", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.4\0", "[::1]", "::1%lo", "a", "::1 "])
    func `are nothing else`(text: String) {
        #expect(IPAddress(text: text) == nil)
    }

    @Test func `have 4 or 16 bytes`() {
        for count in 0..<20 where count != 4 && count != 16 {
            #expect(IPAddress(networkBytes: [UInt8](repeating: 1, count: count)) == nil)
        }
    }

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
        ("10.1.2.3", "10.1.2.3", "10.1.2.4"),
        ("10.1.2.3", "::ffff:10.1.2.3", "::10.1.2.3"),
        ("::ffff:10.0.0.0/104", "10.1.2.3", "11.1.2.3"),
        ("192.0.2.128/25", "192.0.2.255", "192.0.2.127"),
        ("fd00::/8", "fd12:3456::1", "fe00::1"),
        ("2001:db8::/65", "2001:db8::7fff:0:0:1", "2001:db8::8000:0:0:1"),
        ("0.0.0.0/0", "255.255.255.255", "::1"),
        ("::1", "::1", "127.0.0.1"),
    ])
    func `are in a network by its first bits`(network: String, member: String, other: String) throws {
        let range = try #require(AddressRange(text: network))
        #expect(range.contains(IPAddress(text: member)))
        #expect(!range.contains(IPAddress(text: other)))
        #expect(!range.contains(nil))
        #expect(AddressRange(text: "\(range)") == range)
    }

    @Test func `and unix sockets are apart`() throws {
        let range = try #require(AddressRange(text: "unix"))
        #expect(range.contains(nil) && !range.contains(IPAddress(text: "::1")) && "\(range)" == "unix")
        #expect(AddressRange(text: "::/0")?.contains(IPAddress(text: "10.0.0.1")) == true)
    }

    @Test(arguments: [
        "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.1/8", "::1/64", "::/129", "10.0.0.0/8/8", "a/8",
    ])
    func `are in no network that is written otherwise`(text: String) {
        #expect(AddressRange(text: text) == nil)
    }
}

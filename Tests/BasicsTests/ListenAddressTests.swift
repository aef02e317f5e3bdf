import Basics
import Testing

@Suite struct `How a listen address is written` {
    @Test(arguments: [
        ("127.0.0.1:4318", ListenAddress.tcp(host: "127.0.0.1", port: 4318)),
        ("[::1]:0", .tcp(host: "::1", port: 0)),
        ("localhost:65535", .tcp(host: "localhost", port: 65_535)),
        ("unix:/run/millrace.sock", .unix(path: "/run/millrace.sock")),
    ])
    func `each form is read and written back`(_ text: String, _ address: ListenAddress) {
        #expect(ListenAddress(text: text) == address)
        #expect(address.description == text)
    }

    @Test(arguments: [
        "", "4318", ":4318", "host", "host:", "host:65536", "host:-1", "host:+1", "::1:4318", "[::1:4318", "[::1]",
        "unix:",
        "unix:/\(String(repeating: "a", count: 107))",
    ])
    func `anything else is refused`(_ text: String) {
        #expect(ListenAddress(text: text) == nil)
    }
}

@Suite struct `Which hosts a server answers to` {
    private static let loopback = ["127.0.0.1:4318", "[::1]:4318", "localhost:4318", "127.1.2.3:0"]

    @Test(arguments: loopback)
    func `on loopback, those of loopback`(listen: String) throws {
        let address = try #require(ListenAddress(text: listen))
        let own = [
            "localhost", "LOCALHOST:1", "localhost.", "a.localhost:65535", "127.0.0.1", "127.0.0.1:4318", "127.255.1.2",
            "[::1]",
            "[::1]:4318", "[::ffff:127.0.0.1]", "named.example", "Named.Example:80",
        ]
        for host in own { #expect(address.accepts(host: host, besides: ["named.example"]), "\(host)") }
        let others = [
            "", ":", ":80", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "evil.example:4318",
            "10.0.0.1",
            "127.0.0.1@evil.example", "127.0.0.256", "127.0.0", "127.0.0.1:80:80", "127.0.0.1:evil", "[::2]",
            "[::1]evil", "[::1",
            "notlocalhost", "127.0.0.1 ", "0.0.0.0", "evil.example, localhost", "127.0.0.1/evil", "[::ffff:10.0.0.1]",
        ]
        for host in others { #expect(!address.accepts(host: host, besides: ["named.example"]), "\(host)") }
    }

    @Test func `elsewhere everything, or where names are listed those and addresses`() throws {
        for text in ["0.0.0.0:4318", "[::]:4318", "10.0.0.1:4318", "gateway.example:4318"] {
            let address = try #require(ListenAddress(text: text))
            #expect(address.accepts(host: "evil.example"))
            #expect(!address.accepts(host: "evil.example", besides: ["named.example"]))
            for host in ["named.example:1", "10.0.0.1:4318", "[fe80::1]", "localhost", "192.168.1.2"] {
                #expect(address.accepts(host: host, besides: ["named.example"]), "\(host)")
            }
        }
        let gateway = try #require(ListenAddress(text: "gateway.example:4318"))
        #expect(gateway.accepts(host: "gateway.example:80", besides: ["named.example"]))
        #expect(ListenAddress.unix(path: "/a").accepts(host: "evil.example", besides: ["named.example"]))
    }
}

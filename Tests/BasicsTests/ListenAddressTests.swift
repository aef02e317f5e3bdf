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

import Oracle

@testable import Receivers

/// Changes what a client sends, request by request and line by line.
struct HTTPChanges {
    var random: SeededGenerator

    mutating func change(_ stream: inout [UInt8], _ other: [UInt8]) {
        let lines = stream.indices.filter { stream[$0] == 0x0A }
        let line = lines.isEmpty ? 0 : lines[random.below(lines.count)] + 1
        switch random.below(10) {
        case 0, 1: stream += request()
        case 2, 3: stream.insert(contentsOf: Array((header() + "\r\n").utf8), at: line)
        case 4: stream.insert(contentsOf: request(), at: line)
        case 5:
            let next = lines.first { $0 >= line } ?? stream.count - 1
            if line <= next { stream.removeSubrange(line...next) }
        case 6 where !stream.isEmpty: stream.removeLast(random.below(stream.count))
        case 7:
            for _ in 0..<[1, 3, 200][random.below(3)] where stream.count < 30_000 { stream += request(small: true) }
        case 8 where !other.isEmpty: stream.insert(contentsOf: other.prefix(4000), at: line)
        default:
            guard !stream.isEmpty else { return stream = request() }
            stream[random.below(stream.count)] = Array("\r\n :;,0aZ\u{0}\u{7F}".utf8)[random.below(11)]
        }
    }

    /// What a load balancer sends first, often as it should be.
    consuming func proxyHeader() -> [UInt8] {
        var header: [UInt8]
        if random.chance(40) {
            let line = pick([
                "TCP4 192.0.2.1 127.0.0.1 5000 4318", "TCP6 2001:db8::1 ::1 5000 4318", "UNKNOWN", "TCP4 ::1 a",
            ])
            header = Array("PROXY \(line)\r\n".utf8)
        } else {
            let (family, addresses) = [(0x11, 12), (0x21, 36), (0x31, 216), (0, 0), (0x12, 12)][random.below(5)]
            let length = addresses + (random.chance(50) ? random.below(4200 - addresses) : 0)
            header = [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
            header += [random.chance(80) ? 0x21 : 0x20, UInt8(family), UInt8(length >> 8), UInt8(length & 255)]
            header += random.bytes(length)
        }
        if random.chance(20) { header[random.below(header.count)] = UInt8(random.below(256)) }
        return random.chance(90) ? header : Array(header.prefix(random.below(header.count)))
    }

    private mutating func pick(_ words: [String]) -> String { words[random.below(words.count)] }

    /// A request, often one that is taken.
    private mutating func request(small: Bool = false) -> [UInt8] {
        let method = random.chance(80) ? "POST" : pick(["GET", "HEAD", "PUT", "OPTIONS", "CONNECT", "TRACE", "PRI"])
        let path =
            random.chance(80) ? "/v1/traces" : pick(["/v1/logs", "/", "*", "http://a/v1/traces?x", "/%00", "a:1"])
        let version = random.chance(90) ? "HTTP/1.1" : pick(["HTTP/1.0", "HTTP/2.0", "HTTP/1.2", "http/1.1"])
        var lines = ["\(method) \(path) \(version)"]
        if random.chance(90) { lines.append("Host: a") }
        if random.chance(90) {
            lines.append("Content-Type: \(random.chance(60) ? "application/x-protobuf" : "application/json")")
        }
        while random.chance(30) { lines.append(header()) }
        var body = small ? [UInt8(ascii: "x")] : content()
        if random.chance(30) { body = coded(body, &lines) }
        if random.chance(60) {
            lines.append("Content-Length: \(random.chance(90) ? body.count : random.below(5000))")
        } else {
            lines.append("Transfer-Encoding: chunked")
            body = chunked(body)
        }
        return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
    }

    private mutating func content() -> [UInt8] {
        switch random.below(4) {
        case 0: return []
        case 1: return Array(random.bytes(random.below(3000)))
        case 2: return [UInt8](repeating: UInt8(random.below(256)), count: random.below(6000))
        default:
            var source = RandomRequests(seed: random.next())
            return demand("generating") { try source.request().wire }
        }
    }

    private mutating func coded(_ body: [UInt8], _ lines: inout [String]) -> [UInt8] {
        let isGzip = random.chance(60)
        lines.append("Content-Encoding: \(isGzip ? "gzip" : "deflate")")
        return random.chance(85) ? InflateTarget.deflated(body, isGzip ? .gzip : .deflate, &random) : body
    }

    private mutating func chunked(_ body: [UInt8]) -> [UInt8] {
        var (output, rest): ([UInt8], ArraySlice<UInt8>) = ([], body[...])
        while !rest.isEmpty {
            let part = rest.prefix(1 + random.below(700))
            let note = random.chance(10) ? ";a=\"b\"" : ""
            output += Array("\(String(part.count, radix: 16))\(note)\r\n".utf8) + part + [0x0D, 0x0A]
            rest = rest.dropFirst(part.count)
        }
        guard random.chance(90) else { return output }
        return output + Array("0\r\n\(random.chance(10) ? "x-trailer: 1\r\n" : "")\r\n".utf8)
    }

    private mutating func header() -> String {
        if random.chance(3) { return "x-long: " + String(repeating: "a", count: 1 << random.below(18)) }
        return pick([
            "Connection: close", "Connection: keep-alive", "Connection: Upgrade", "Upgrade: h2c",
            "Expect: 100-continue",
            "Expect: x", "Content-Encoding: gzip, gzip", "Content-Encoding: gzip,gzip,gzip", "Content-Encoding: br",
            "Content-Encoding: identity", "Content-Length: 0", "Content-Length: 5", "Content-Length: 99999999999",
            "Content-Length: 18446744073709551615", "Content-Length: -1", "Transfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked", "Transfer-Encoding: identity", "Accept: application/json",
            "Content-Type: text/plain", "Content-Type: application/json; charset=utf-8", "User-Agent: é", "X-Route: a",
            "Authorization: Bearer x", "A:", ": a", " folded", "Trailer: x", "Keep-Alive: timeout=5", "Host: b",
        ])
    }
}

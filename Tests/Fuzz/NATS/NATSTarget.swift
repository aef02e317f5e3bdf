import NIOCore

@testable import NATS

/// What a server of NATS sends; the first eight bytes choose the pieces in which the rest arrives.
enum NATSTarget: FuzzTarget {
    private static let limits = NATSParser.Limits(line: 512, info: 4096, message: 16_384, headers: 2048)

    /// What was read, and why not more.
    private struct Outcome: Equatable {
        var operations: [NATSOperation] = []
        var failure: NATSProtocolError?
    }

    static func run(_ input: [UInt8]) {
        let (seed, stream) = input.seeded
        let whole = Cost.watch("reading", body: stream.count, heapMax: Cost.growing(8 * stream.count)) {
            read(stream) { $0 }
        }
        var random = SeededGenerator(seed: seed)
        let most = [1, 3, 20, 500][random.below(4)]
        let inPieces = read(stream) { min($0, 1 + random.below(most)) }
        require(whole == inPieces, "what is read depends on the pieces")
        for case .message(let message) in whole.operations {
            require(message.payload.count <= limits.message, "a payload is over the limit")
            guard message.status == nil, !message.subject.contains("\u{0}") else { continue }
            var written = ByteBuffer()
            written.writePublication(to: message.subject, headers: message.headers, message.payload)
            require(written.readableBytes >= message.payload.count, "a payload is cut")
        }
    }

    private static func read(_ stream: [UInt8], _ size: (Int) -> Int) -> Outcome {
        var parser = NATSParser(limits: limits)
        var outcome = Outcome()
        var offset = 0
        while offset < stream.count, outcome.failure == nil {
            let count = size(stream.count - offset)
            parser.append(ByteBuffer(bytes: stream[offset..<offset + count]))
            offset += count
            do throws(NATSProtocolError) {
                while let operation = try parser.next() { outcome.operations.append(operation) }
                let heldMax = limits.message + limits.info + 2 + count
                require(parser.unread <= heldMax, "\(parser.unread) bytes are held")
            } catch {
                outcome.failure = error
            }
        }
        return outcome
    }

    static func mutate(_ input: [UInt8], with other: [UInt8], max: Int, _ random: inout SeededGenerator) -> [UInt8] {
        var (seed, stream) = input.seeded
        let lines = stream.indices.filter { stream[$0] == 0x0A }
        let place = lines.isEmpty ? 0 : lines[random.below(lines.count)] + 1
        switch random.below(6) {
        case 0: seed = random.next()
        case 1, 2: stream.insert(contentsOf: operation(&random), at: place)
        case 3 where !stream.isEmpty: stream.removeLast(random.below(stream.count))
        case 4 where !other.isEmpty: stream.insert(contentsOf: other.seeded.rest.prefix(2000), at: place)
        default: stream = mutateBytes(stream, max: Swift.max(0, max - 8))
        }
        return stream.seeded(seed)
    }

    /// Often one that is well-formed.
    private static func operation(_ random: inout SeededGenerator) -> [UInt8] {
        let payload = random.bytes(random.below(40))
        let wrong = random.chance(10) ? 1 : 0
        switch random.below(8) {
        case 0: return Array("PING\r\n".utf8)
        case 1: return Array("PONG\r\n".utf8)
        case 2: return Array("+OK\r\n".utf8)
        case 3: return Array("-ERR 'Permissions Violation'\r\n".utf8)
        case 4: return Array("INFO {\"max_payload\":\(random.below(9999)),\"headers\":true}\r\n".utf8)
        case 5: return Array("MSG a.b 1 \(payload.count + wrong)\r\n".utf8) + payload + [13, 10]
        case 6: return Array("MSG a.b 1 reply.to \(payload.count)\r\n".utf8) + payload + [13, 10]
        default:
            let headers = random.chance(50) ? "NATS/1.0\r\nA: b\r\nC:d\r\n\r\n" : "NATS/1.0 503 No Responders\r\n\r\n"
            let sizes = "\(headers.utf8.count) \(headers.utf8.count + payload.count + wrong)"
            return Array("HMSG a.b 2 \(sizes)\r\n\(headers)".utf8) + payload + [13, 10]
        }
    }
}

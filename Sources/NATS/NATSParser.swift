import Basics
import NIOCore

/// What a server says.
enum NATSOperation: Equatable {
    case info([UInt8])
    case message(NATSMessage)
    case ping
    case pong
    case okay
    case error(String)
}

/// Reads what a server sends, however it is cut into pieces.
///
/// Holds no clock and does no I/O. Bounded: a line, the headers and a payload each have a limit, beyond which nothing more is
/// read; what is held is one operation that is not complete yet and the piece that came last.
struct NATSParser {
    /// What is read at most, in bytes.
    struct Limits {
        var line = 4096
        /// INFO names all servers of a cluster.
        var info = 262_144
        /// Headers and payload of one message, as large as a server can be told to take.
        var message = 67_108_864
        /// The headers of one message.
        var headers = 65_536
    }

    /// A message of which the line is read.
    private struct Pending {
        let subject: String
        let subscription: UInt64
        let reply: String?
        let headers: Int
        let total: Int
    }

    private let limits: Limits
    private var buffer = ByteBuffer()
    /// Bytes of the line that is not complete.
    private var searched = 0
    private var pending: Pending?
    private var failure: NATSProtocolError?

    init(limits: Limits = Limits()) {
        self.limits = limits
    }

    /// Bytes that came and are not read.
    var unread: Int { buffer.readableBytes }

    /// Takes a piece.
    mutating func append(_ bytes: ByteBuffer) {
        if buffer.readableBytes == 0 {
            buffer = bytes
        } else {
            buffer.discardReadBytes()
            buffer.writeImmutableBuffer(bytes)
        }
    }

    /// The next operation; nil where more has to come.
    ///
    /// After an error the same error again.
    mutating func next() throws(NATSProtocolError) -> NATSOperation? {
        if let failure { throw failure }
        do throws(NATSProtocolError) {
            if let pending { return try message(pending) }
            guard let line = try takeLine() else { return nil }
            return try operation(line)
        } catch {
            failure = error
            buffer = ByteBuffer()
            throw error
        }
    }

    private mutating func takeLine() throws(NATSProtocolError) -> [UInt8]? {
        let view = buffer.readableBytesView
        let isInfo = view.first.map { $0 | 0x20 == UInt8(ascii: "i") } ?? false
        let limit = isInfo ? limits.info : limits.line
        guard let end = view[(view.startIndex + searched)...].firstIndex(of: UInt8(ascii: "\n")) else {
            searched = view.count
            if searched > limit { throw NATSProtocolError("a line is longer than \(limit) bytes") }
            return nil
        }
        let count = end - view.startIndex
        guard count <= limit else { throw NATSProtocolError("a line is longer than \(limit) bytes") }
        searched = 0
        var line = Array(view[..<end])
        buffer.moveReaderIndex(forwardBy: count + 1)
        guard line.popLast() == UInt8(ascii: "\r") else { throw NATSProtocolError("a line does not end with CR LF") }
        return line
    }

    private mutating func operation(_ line: [UInt8]) throws(NATSProtocolError) -> NATSOperation? {
        let words = line.split(maxSplits: 1) { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        let verb = words.first.map { String(decoding: $0, as: UTF8.self).uppercased() } ?? ""
        let rest = words.count > 1 ? words[1] : []
        switch verb {
        case "INFO": return .info(Array(rest))
        case "MSG", "HMSG":
            let pending = try head(String(decoding: rest, as: UTF8.self), hasHeaders: verb == "HMSG")
            self.pending = pending
            return try message(pending)
        case "PING": return .ping
        case "PONG": return .pong
        case "+OK": return .okay
        case "-ERR":
            let text = String(decoding: rest, as: UTF8.self)
            return .error(String(text.drop { $0 == "'" }.prefix { $0 != "'" }))
        default:
            throw NATSProtocolError(
                "\"\(String(decoding: line, as: UTF8.self).excerpt(max: 40))\" is no operation of NATS"
            )
        }
    }

    /// `SUBJECT SID [REPLY] [HEADERS] TOTAL`.
    private func head(_ line: String, hasHeaders: Bool) throws(NATSProtocolError) -> Pending {
        let words = line.split { $0 == " " || $0 == "\t" }
        let sizes = hasHeaders ? 2 : 1
        guard words.count == 2 + sizes || words.count == 3 + sizes, let subscription = number(words[1]),
            let total = words.last.flatMap(number), total <= limits.message
        else { throw NATSProtocolError("a message's line is wrong: \(line.excerpt(max: 80))") }
        let headers = hasHeaders ? number(words[words.count - 2]) ?? .max : 0
        guard headers <= total, headers <= limits.headers else {
            throw NATSProtocolError("a message's headers are too long: \(line.excerpt(max: 80))")
        }
        return Pending(
            subject: String(words[0]),
            subscription: UInt64(subscription),
            reply: words.count == 3 + sizes ? String(words[2]) : nil,
            headers: Int(headers),
            total: Int(total)
        )
    }

    private func number(_ word: Substring) -> Int? {
        word.utf8.count <= 18 && word.utf8.allSatisfy(\.isDigit) ? Int(word) : nil
    }

    private mutating func message(_ head: Pending) throws(NATSProtocolError) -> NATSOperation? {
        guard buffer.readableBytes >= head.total + 2 else { return nil }
        pending = nil
        let headers = buffer.readBytes(length: head.headers) ?? []
        let payload = buffer.readBytes(length: head.total - head.headers) ?? []
        guard buffer.readBytes(length: 2) == Array("\r\n".utf8) else {
            throw NATSProtocolError("a message is longer than it says")
        }
        let (status, fields) = head.headers == 0 ? (nil, []) : Self.headers(headers)
        return .message(
            NATSMessage(
                subject: head.subject,
                subscription: head.subscription,
                reply: head.reply,
                status: status,
                headers: fields,
                payload: payload
            )
        )
    }

    /// `NATS/1.0[ CODE[ TEXT]]`, then a line for each header, then an empty one.
    ///
    /// They are what whoever published the message wrote: what cannot be read is none, so that the message alone suffers for it.
    private static func headers(_ bytes: [UInt8]) -> (NATSStatus?, [HTTPHeader]) {
        let version = Array("NATS/1.0".utf8)
        let end = Array("\r\n\r\n".utf8)
        guard bytes.starts(with: version), bytes.suffix(4).elementsEqual(end) else { return (nil, []) }
        var lines = bytes.dropLast(4).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        let first = lines.removeFirst().dropFirst(version.count)
        var headers: [HTTPHeader] = []
        for line in lines {
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex else { return (nil, []) }
            headers.append(HTTPHeader(text(line[..<colon]), text(line[(colon + 1)...])))
        }
        let words = text(first).split(separator: " ", maxSplits: 1)
        let status = words.first.flatMap { Int($0) }.map { code in
            NATSStatus(code: code, text: words.count > 1 ? String(words[1]) : "")
        }
        return (status, headers)
    }

    /// Without the blanks around it.
    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        let isBlank = { (byte: UInt8) in byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\r") }
        let end = bytes.lastIndex { !isBlank($0) }.map { $0 + 1 } ?? bytes.startIndex
        return String(decoding: bytes[..<end].drop(while: isBlank), as: UTF8.self)
    }
}

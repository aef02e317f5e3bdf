import Basics
import NIOCore

extension ByteBuffer {
    /// PUB, or HPUB where there are headers.
    ///
    /// Control characters in a header's value become spaces: a line end would begin another header.
    mutating func writePublication(
        to subject: String,
        reply: String? = nil,
        headers: [HTTPHeader] = [],
        _ payload: [UInt8]
    ) {
        let address = reply.map { "\(subject) \($0)" } ?? subject
        guard !headers.isEmpty else {
            writeString("PUB \(address) \(payload.count)\r\n")
            writeBytes(payload)
            writeString("\r\n")
            return
        }
        let block = Self.block(of: headers)
        writeString("HPUB \(address) \(block.utf8.count) \(block.utf8.count + payload.count)\r\n")
        writeString(block)
        writeBytes(payload)
        writeString("\r\n")
    }

    mutating func writeSubscription(_ number: UInt64, to subject: String) {
        writeString("SUB \(subject) \(number)\r\n")
    }

    mutating func writeEnd(ofSubscription number: UInt64) {
        writeString("UNSUB \(number)\r\n")
    }

    mutating func writePing() { writeString("PING\r\n") }
    mutating func writePong() { writeString("PONG\r\n") }

    mutating func writeConnect(_ options: String) {
        writeString("CONNECT \(options)\r\n")
    }

    /// Bytes that headers take in a message.
    static func bytes(of headers: [HTTPHeader]) -> Int { headers.isEmpty ? 0 : block(of: headers).utf8.count }

    private static func block(of headers: [HTTPHeader]) -> String {
        var block = "NATS/1.0\r\n"
        for header in headers {
            block += header.name
            block += ": "
            if header.value.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F }) {
                block.unicodeScalars.append(
                    contentsOf: header.value.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }
                )
            } else {
                block += header.value
            }
            block += "\r\n"
        }
        return block + "\r\n"
    }
}

import Basics
import OTLP
import Pipeline

extension Answer {
    /// The longest message sent, in bytes of UTF-8; keeps an answer far below the 4 MiB that clients read.
    private static let messageBytesMax = 16_384

    /// An `Export…ServiceResponse`, or a `google.rpc.Status` for a failure.
    func body(_ encoding: BodyEncoding, signal: Signal) -> [UInt8] {
        switch (self, encoding) {
        case (.success, .protobuf): []
        case (.success, .json): Array("{}".utf8)
        case (.partial(let rejected, let message), .protobuf):
            Self.field(1, Self.pair(UInt64(clamping: rejected), Self.shortened(message)))
        case (.partial(let rejected, let message), .json):
            Self.json { writer in
                writer.key("partialSuccess")
                writer.beginObject()
                writer.key(signal.rejectedName)
                writer.string(String(rejected))
                writer.key("errorMessage")
                writer.string(Self.shortened(message))
                writer.endObject()
            }
        case (.failure(let refusal), .protobuf):
            Self.pair(UInt64(clamping: refusal.status.rpcCode), Self.shortened(refusal.message))
        case (.failure(let refusal), .json):
            Self.json { writer in
                writer.key("code")
                writer.integer(refusal.status.rpcCode)
                writer.key("message")
                writer.string(Self.shortened(refusal.message))
            }
        }
    }

    private static func json(_ write: (inout JSONWriter) -> Void) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        write(&writer)
        writer.endObject()
        return writer.bytes
    }

    /// Both messages have a number as field 1 and a text as field 2.
    private static func pair(_ number: UInt64, _ text: String) -> [UInt8] {
        (number == 0 ? [] : [1 << 3] + varint(number)) + field(2, Array(text.utf8))
    }

    private static func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        [number << 3 | 2] + varint(UInt64(bytes.count)) + bytes
    }

    private static func varint(_ value: UInt64) -> [UInt8] {
        var rest = value
        var bytes: [UInt8] = []
        while rest > 0x7F {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(rest)]
    }

    private static func shortened(_ message: String) -> String {
        guard message.utf8.count > messageBytesMax else { return message }
        return String(decoding: Array(message.utf8.prefix(messageBytesMax)), as: UTF8.self) + "…"
    }
}

extension Signal {
    fileprivate var rejectedName: String {
        switch self {
        case .traces: "rejectedSpans"
        case .metrics: "rejectedDataPoints"
        case .logs: "rejectedLogRecords"
        }
    }
}

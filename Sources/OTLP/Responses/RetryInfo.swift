import Basics

/// `google.rpc.RetryInfo`: when a client may try again, in the details of a failure (protocol section "OTLP/gRPC Throttling").
package enum RetryInfo {
    private static let type = "google.rpc.RetryInfo"

    /// The pause that a `google.rpc.Status` in protobuf names among its details; nil where it names none, or cannot be read.
    package static func pause(in status: [UInt8]) -> Duration? {
        let text = status.span.bytes
        for detail in contents(of: 3, in: 0..<status.count, text) {
            let names = contents(of: 1, in: detail, text).map { text.text($0) }
            guard names.contains(where: { $0 == type || $0.hasSuffix("/\(type)") }),
                let info = contents(of: 2, in: detail, text).last,
                let duration = contents(of: 1, in: info, text).last
            else { continue }
            return pause(of: duration, text)
        }
        return nil
    }

    /// A `google.protobuf.Duration`, cut to the longest pause there is; what is negative is none at all.
    private static func pause(of duration: Range<Int>, _ text: RawSpan) -> Duration? {
        var reader = WireReader(duration)
        var (seconds, nanoseconds) = (Int64(0), Int64(0))
        while let field = try? reader.next(in: text) {
            guard field.form == .varint else { continue }
            if field.number == 1 { seconds = Int64(bitPattern: field.value) }
            if field.number == 2 { nanoseconds = Int64(bitPattern: field.value) }
        }
        guard seconds >= 0, nanoseconds >= 0, nanoseconds < 1_000_000_000 else { return nil }
        let longest = HTTPResponse.retryAfterMax
        return min(.seconds(min(seconds, longest.components.seconds)) + .nanoseconds(nanoseconds), longest)
    }

    /// Where the fields of that number lie that have a length, as far as the message can be read.
    private static func contents(of number: Int, in message: Range<Int>, _ text: RawSpan) -> [Range<Int>] {
        var reader = WireReader(message)
        var found: [Range<Int>] = []
        while let field = try? reader.next(in: text) {
            if field.number == number, field.form == .lengthDelimited { found.append(field.content) }
        }
        return found
    }
}

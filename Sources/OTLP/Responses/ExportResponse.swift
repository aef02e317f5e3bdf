import Basics

/// `Export<Signal>ServiceResponse` (protocol sections "Full Success" and "Partial Success").
package struct ExportResponse: Sendable, Equatable {
    /// Items that were refused for good: spans, data points or log records.
    package var rejected: Int64
    /// Why, or a warning where nothing was refused; for people.
    package var message: String

    /// A full success unless told otherwise.
    package init(rejected: Int64 = 0, message: String = "") {
        self.rejected = rejected
        self.message = message
    }

    private var isFullSuccess: Bool { rejected == 0 && message.isEmpty }

    /// The body of an answer to a request of that signal.
    package func encoded(_ encoding: ResponseEncoding, signal: Signal) -> [UInt8] {
        switch encoding {
        case .protobuf: protobuf
        case .json: json(signal)
        }
    }

    /// Reads the body of an answer; nil where it cannot be read, and then nothing is known of it.
    ///
    /// In JSON the names may be in snake case and the number a string, as servers write them.
    package init?(decoding body: [UInt8], _ encoding: ResponseEncoding, signal: Signal) {
        self.init()
        switch encoding {
        case .protobuf:
            guard (try? read(body)) != nil else { return nil }
        case .json:
            guard let node = try? JSONNode(parsing: body), node.members != nil else { return nil }
            guard let partial = node["partialSuccess"] ?? node["partial_success"] else { return }
            let count = partial[signal.rejectedName.camel] ?? partial[signal.rejectedName.snake]
            rejected = count?.integer.map(Int64.init) ?? count?.string.flatMap { Int64($0) } ?? 0
            message = (partial["errorMessage"] ?? partial["error_message"])?.string ?? ""
        }
    }

    private var protobuf: [UInt8] {
        var partial: [UInt8] = []
        if rejected != 0 {
            partial.append(0x08)
            partial.appendVarint(UInt64(bitPattern: rejected))
        }
        partial.appendText(0x12, message)
        guard !partial.isEmpty else { return [] }
        var body: [UInt8] = [0x0A]
        body.appendVarint(partial.count)
        return body + partial
    }

    private func json(_ signal: Signal) -> [UInt8] {
        var writer = JSONWriter()
        writer.beginObject()
        if !isFullSuccess {
            writer.key("partialSuccess")
            writer.beginObject()
            if rejected != 0 {
                writer.key(signal.rejectedName.camel)
                writer.string(String(rejected))
            }
            if !message.isEmpty {
                writer.key("errorMessage")
                writer.string(message)
            }
            writer.endObject()
        }
        writer.endObject()
        return writer.bytes
    }

    private mutating func read(_ body: [UInt8]) throws(WireError) {
        let text = body.span.bytes
        var reader = WireReader(0..<body.count)
        while let field = try reader.next(in: text) {
            guard field.number == 1, field.form == .lengthDelimited else { continue }
            var partial = WireReader(field.content)
            while let field = try partial.next(in: text) {
                if field.number == 1, field.form == .varint { rejected = Int64(bitPattern: field.value) }
                if field.number == 2, field.form == .lengthDelimited { message = text.text(field.content) }
            }
        }
    }
}

extension Signal {
    /// What a partial success calls its count.
    fileprivate var rejectedName: (camel: String, snake: String) {
        switch self {
        case .traces: ("rejectedSpans", "rejected_spans")
        case .metrics: ("rejectedDataPoints", "rejected_data_points")
        case .logs: ("rejectedLogRecords", "rejected_log_records")
        }
    }
}

extension [UInt8] {
    /// Appends a message field.
    package mutating func appendNested(_ tag: UInt8, _ message: [UInt8]) {
        append(tag)
        appendVarint(message.count)
        append(contentsOf: message)
    }

    /// Appends a string field unless it is empty.
    package mutating func appendText(_ tag: UInt8, _ text: String) {
        guard !text.isEmpty else { return }
        append(tag)
        appendVarint(text.utf8.count)
        append(contentsOf: text.utf8)
    }
}

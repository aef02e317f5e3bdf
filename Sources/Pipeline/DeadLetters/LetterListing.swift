import Basics
import Journal
import OTLP

/// Writes dead letters as JSON, for people's tools: `{"dead_letters": [...], "next": ...}`.
struct LetterListing {
    /// Trace ids and services named for each letter, at most.
    private static let namesMax = 10

    private var writer = JSONWriter()
    private(set) var count = 0

    init() {
        writer.beginObject()
        writer.key("dead_letters")
        writer.beginArray()
    }

    /// All of it; `next` is the id behind which the next page begins, nil where there is none.
    mutating func finished(next: String?) -> [UInt8] {
        writer.endArray()
        writer.key("next")
        if let next { writer.string(next) } else { writer.null() }
        writer.endObject()
        return writer.bytes
    }

    /// Adds a letter; with its content, the destination's answer and the items as OTLP JSON too.
    mutating func write(_ stored: StoredLetter, in box: DeadLetterBox, withContent: Bool) {
        count += 1
        let letter = stored.letter
        writer.beginObject()
        write("id", box.id(of: stored.id))
        write("pipeline", box.main.pipeline)
        write("signal", letter.metadata.signal.name)
        write("exporter", box.exporter)
        write("route", letter.metadata.route.description)
        write(letter.metadata.signal.itemsName, letter.items)
        write("bytes", letter.payload.count)
        writer.key("status")
        if let status = letter.rejection.status { writer.integer(status) } else { writer.null() }
        write("reason", letter.rejection.reason)
        write("attempts", letter.attempts)
        write("first_attempt", letter.firstAttempt.text)
        write("last_attempt", letter.lastAttempt.text)
        let traces = TraceID.all(in: letter.payload, signal: letter.metadata.signal)
        write("traces", traces.count)
        write("trace_ids", traces.prefix(Self.namesMax).map { "\($0)" })
        write("services", Array(services(in: letter).prefix(Self.namesMax)))
        if withContent { writeContent(letter) }
        writer.endObject()
    }

    private mutating func writeContent(_ letter: DeadLetter) {
        write("answer", String(decoding: letter.rejection.body, as: UTF8.self))
        writer.key("request")
        if let json = try? OTLPJSON.encode(letter.payload, signal: letter.metadata.signal) {
            writer.raw(String(decoding: json, as: UTF8.self))
        } else {
            writer.null()
        }
    }

    private func services(in letter: DeadLetter) -> [String] {
        guard let batch = try? Envelope(letter.payload, signal: letter.metadata.signal) else { return [] }
        var names: [String] = []
        for resource in batch.resources {
            guard let index = batch.attribute("service.name", in: resource.attributes),
                case .string(let range) = batch.value(of: index)
            else { continue }
            let name = batch.text(range)
            if !names.contains(name) { names.append(name) }
        }
        return names
    }

    private mutating func write(_ name: String, _ value: String) {
        writer.key(name)
        writer.string(value)
    }

    private mutating func write(_ name: String, _ value: Int) {
        writer.key(name)
        writer.integer(value)
    }

    private mutating func write(_ name: String, _ values: [String]) {
        writer.key(name)
        writer.beginArray()
        for value in values { writer.string(value) }
        writer.endArray()
    }
}

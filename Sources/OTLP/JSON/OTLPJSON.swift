import Basics

// Both directions stream: a JSON token becomes wire bytes as it is read, a wire field becomes JSON text; the tables of
// `MessageSchema` say how, for every signal. Reading is tolerant and counts what it tolerates, writing is strict.

/// OTLP/JSON (protocol section "JSON Protobuf Encoding").
package enum OTLPJSON {
    /// Values inside values take up to four JSON containers each, the messages around them less than a dozen.
    static let depthMax = 255

    /// Transcodes a request to wire form.
    ///
    /// Unknown members are left out. A unit with a member of a wrong type, or with an id that is neither hexadecimal nor
    /// base64, becomes one that `Envelope` finds invalid, so that the others are taken.
    ///
    /// - Parameters:
    ///   - json: The text; as many bytes are set aside for what it becomes.
    ///   - signal: What it has to be a request of.
    ///   - deviations: Counts what was read all the same.
    ///   - bytesMax: Bytes that it may become, about.
    /// - Returns: The request in wire form.
    /// - Throws: `.malformed` with the byte offset in `json` where it is no JSON or no such request: an object with members
    ///   of which none is known, too. `.overLimit` where it becomes too large.
    package static func decode(
        _ json: [UInt8],
        signal: Signal,
        deviations: inout DeviationCounts,
        bytesMax: Int = .max
    ) throws(WireError) -> [UInt8] {
        var decoder = JSONTranscoder(capacity: json.count, bytesMax: bytesMax, deviations)
        try decoder.request(of: signal, json.span.bytes)
        deviations = decoder.deviations
        return decoder.output
    }

    /// Transcodes a request in wire form to one line of JSON, without a line break.
    ///
    /// - Throws: `.malformed` with the byte offset in `wire` where it cannot be read or a string is not UTF-8.
    package static func encode(_ wire: [UInt8], signal: Signal) throws(WireError) -> [UInt8] {
        var encoder = WireTranscoder(capacity: wire.count * 2)
        try encoder.request(of: signal, wire.span.bytes)
        return encoder.writer.bytes
    }
}

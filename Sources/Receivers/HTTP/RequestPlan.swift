import Basics
import NIOHTTP1
import OTLP
import Pipeline

/// What a request's head says, read once.
struct RequestHeaders {
    var contentType: Substring?
    /// The encoding that the content type names, parameters aside.
    var encoding: BodyEncoding?
    var accept: String?
    var codings: [Substring] = []
    var contentLength: Int?
    var transferEncoding: String?
    var expectation: String?
    var userAgent: String?
    /// What it shows of its client; never logged.
    var authorization: [String] = []
    /// Hosts that it names: in `Host`, and in a target in absolute form.
    var hosts: [String] = []
    /// Whether the client offers another protocol; ours stays HTTP/1.1 (RFC 9110 section 7.8).
    var offersUpgrade = false
    /// Whether a body may come whose length nobody announced.
    var hasOpenLength = false
    var kept: [HTTPHeader] = []

    /// Characters of a user agent that are kept.
    private static let userAgentMax = 120

    /// Of a request without headers.
    init() {}

    /// - Parameters:
    ///   - head: The request's head.
    ///   - keptNames: Names in lower case.
    init(_ head: HTTPRequestHead, keeping keptNames: [String]) {
        if let authority = head.uri.requestAuthority { hosts.append(authority) }
        for (name, value) in head.headers { note(name, value, keeping: keptNames) }
    }

    /// Takes one header.
    mutating func note(_ name: String, _ value: String, keeping keptNames: [String]) {
        if name.isHeader("content-type") {
            contentType = contentType ?? value[...]
            encoding = contentType?.bodyEncoding
        } else if name.isHeader("content-length") {
            contentLength = Int(value[...].trimmed)
        } else if name.isHeader("content-encoding") {
            codings += value.split(separator: ",").map(\.trimmed).filter { !$0.isEmpty }
        } else if name.isHeader("transfer-encoding") {
            transferEncoding = transferEncoding.map { "\($0),\(value)" } ?? value
        } else if name.isHeader("accept") {
            accept = value
        } else if name.isHeader("expect") {
            expectation = String(value[...].trimmed)
        } else if name.isHeader("host") {
            hosts.append(value)
        } else if name.isHeader("authorization") {
            authorization.append(value)
        } else if name.isHeader("user-agent") {
            userAgent = value.utf8.count > Self.userAgentMax ? String(value.prefix(Self.userAgentMax)) : value
        } else if name.isHeader("upgrade") {
            offersUpgrade = true
        }
        if let kept = keptNames.first(where: { name.isHeader($0) }) { self.kept.append(HTTPHeader(kept, value)) }
    }

    /// Throws where those to forward are longer than the journal keeps; the other kept ones are for processors, which bound
    /// what they take from them.
    func checkForwarded(_ names: [String]) throws(HTTPError) {
        let limit = ReceptionSettings.forwardedMax
        guard keptBytes > limit.bytes, bytes(of: names) > limit.bytes else { return }
        let list = names.joined(separator: ", ")
        throw HTTPError(.headersTooLarge, "the headers to forward (\(list)) are longer than \(limit) in all")
    }

    /// Bytes that the body has on the wire; nil where nobody says.
    var bodyLength: Int? {
        if transferEncoding != nil || hasOpenLength { return nil }
        return contentLength ?? 0
    }

    /// What the kept headers take, with 32 bytes more for each.
    var keptBytes: Int { kept.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 32 } }

    /// What those of the kept headers take that have one of these names.
    func bytes(of names: [String]) -> Int {
        var some = self
        some.kept = kept.filter { header in names.contains { header.name == $0.lowercased() } }
        return some.keptBytes
    }

    /// The request's own encoding; where it has none, JSON for a client that speaks of JSON and protobuf for others.
    var answerEncoding: BodyEncoding {
        if let encoding { return encoding }
        let speaksJSON = [contentType.map(String.init), accept].contains { $0?.lowercased().contains("json") ?? false }
        return speaksJSON ? .json : .protobuf
    }
}

/// How the body of a request that may be taken is read.
struct RequestPlan {
    let signal: Signal
    /// Whether it came by another path than the signal's own.
    let isAlias: Bool
    let encoding: BodyEncoding
    /// In the order in which they are undone.
    let codings: [ContentCoding]
    /// What the head writes otherwise than OTLP asks.
    let deviations: DeviationCounts
    /// Bytes on the wire; nil for a chunked body.
    let contentLength: Int?
    let expectsContinue: Bool

    /// Decides by the head alone: the path first, then the method and the headers.
    init(
        _ head: HTTPRequestHead,
        _ headers: RequestHeaders,
        _ settings: ReceptionSettings,
        _ paths: RequestPaths,
        taking signals: Set<Signal>
    ) throws(HTTPError) {
        (signal, isAlias) = try Self.signal(head.uri, paths, signals)
        guard head.method == .POST else {
            let message = "\(head.method.rawValue) is not allowed here; OTLP/HTTP requests are POST"
            throw HTTPError(.methodNotAllowed, message, header: "allow: POST")
        }
        guard let encoding = headers.encoding else {
            let given = headers.contentType.map { "the content type \"\($0)\" is not supported" } ?? "no content type"
            throw HTTPError(.unsupportedMediaType, "\(given); use application/x-protobuf or application/json")
        }
        try headers.checkForwarded(settings.forwardHeaders)
        self.encoding = encoding
        codings = try Self.codings(headers.codings)
        deviations = ContentCoding.deviations(in: headers.codings)
        if let transfer = headers.transferEncoding, !transfer[...].trimmed.isHeader("chunked") {
            throw HTTPError(.badRequest, "the transfer encoding \"\(transfer)\" is not supported; use chunked")
        }
        contentLength = headers.bodyLength
        if let contentLength, contentLength > settings.maxBody.bytes { throw .tooLarge(settings.maxBody) }
        if let expectation = headers.expectation, !expectation.isHeader("100-continue") {
            throw HTTPError(.expectationFailed, "the expectation \"\(expectation)\" is not supported; use 100-continue")
        }
        expectsContinue = headers.expectation != nil && head.version != .http1_0 && contentLength != 0
    }

    private static func signal(
        _ uri: String,
        _ paths: RequestPaths,
        _ signals: Set<Signal>
    ) throws(HTTPError) -> (Signal, isAlias: Bool) {
        let (signal, isAlias) = try place(uri, paths, signals)
        guard signals.contains(signal) else { throw .notTaken(signal, only: signals) }
        return (signal, isAlias)
    }

    /// The signal whose path a request names, whether it is taken or not.
    static func place(
        _ uri: String,
        _ paths: RequestPaths,
        _ signals: Set<Signal>
    ) throws(HTTPError) -> (Signal, isAlias: Bool) {
        let path = uri.requestPath
        if let place = paths.signal(at: path) { return place }
        let taken = Signal.allCases.filter(signals.contains)
        let places = taken.map { "\($0.name) go to \(paths.path(of: $0))" }.joined(separator: ", ")
        throw HTTPError(.notFound, "nothing is served at \"\(path)\"; \(places)")
    }

    /// Codings on top of each other, at most: a second one would make megabytes of some hundred bytes.
    private static let codingsMax = 1

    /// Codings are named in the order they were applied, so they are undone from the last to the first.
    private static func codings(_ names: [Substring]) throws(HTTPError) -> [ContentCoding] {
        var codings: [ContentCoding] = []
        for name in names.reversed() where !name.isHeader("identity") {
            guard let coding = ContentCoding(name) else {
                let message = "the content encoding \"\(name)\" is not supported; use gzip, deflate, zstd or identity"
                throw HTTPError(.unsupportedMediaType, message, header: ContentCoding.accepted)
            }
            codings.append(coding)
        }
        guard codings.count <= codingsMax else {
            let message = "\(codings.count) content encodings on top of each other; at most \(codingsMax) are allowed"
            throw HTTPError(.unsupportedMediaType, message, header: ContentCoding.accepted)
        }
        return codings
    }
}

extension HTTPError {
    /// The request names a host that is not ours: a web page that reaches the receiver by a name of its own does.
    static func foreignHost(_ host: String, besides names: [String]) -> HTTPError {
        let names = names.map { ", \($0)" }.joined()
        return HTTPError(
            .forbidden,
            "the Host \"\(host.excerpt(max: 80))\" is not accepted here; "
                + "allowed: addresses and names of loopback\(names); more can be listed in \"hosts\""
        )
    }

    /// Requests of that signal have nowhere to go.
    static func notTaken(_ signal: Signal, only signals: Set<Signal>) -> HTTPError {
        let names = Signal.allCases.filter(signals.contains).map(\.name).joined(separator: ", ")
        return HTTPError(.notFound, "no pipeline of this receiver takes \(signal.name), only \(names)")
    }

    /// The body is over the receiver's limit.
    static func tooLarge(_ limit: ByteCount) -> HTTPError {
        HTTPError(.contentTooLarge, "the body is longer than \(limit), the limit before and after decompression")
    }
}

extension StringProtocol {
    /// Whether it is this lower-case ASCII word, letter case aside.
    func isHeader(_ word: String) -> Bool {
        let (mine, theirs) = (utf8, word.utf8)
        guard mine.count == theirs.count else { return false }
        let isSame = mine.withContiguousStorageIfAvailable { mine in
            theirs.withContiguousStorageIfAvailable { theirs in
                mine.indices.allSatisfy { mine[$0].isLetter(theirs[$0]) }
            }
        }
        return (isSame ?? nil) ?? zip(mine, theirs).allSatisfy { $0.isLetter($1) }
    }
}

extension UInt8 {
    /// Whether it is this byte, or the capital of this lower-case letter.
    fileprivate func isLetter(_ lower: UInt8) -> Bool {
        self == lower || (self ^ 0x20 == lower && lower &- UInt8(ascii: "a") < 26)
    }
}

extension Substring {
    /// The encoding that a content type names, parameters aside.
    fileprivate var bodyEncoding: BodyEncoding? {
        let end = utf8.firstIndex(of: UInt8(ascii: ";")) ?? endIndex
        let mediaType = self[..<end].trimmed
        if mediaType.isHeader("application/x-protobuf") { return .protobuf }
        return mediaType.isHeader("application/json") ? .json : nil
    }

    /// Without the optional whitespace of RFC 9110 section 5.6.3 around it.
    var trimmed: Substring {
        var text = self
        while let first = text.utf8.first, first == 0x20 || first == 0x09 { text = text.dropFirst() }
        while let last = text.utf8.last, last == 0x20 || last == 0x09 { text = text.dropLast() }
        return text
    }
}

extension String {
    /// The host of a request target in absolute form; nil in origin form.
    fileprivate var requestAuthority: String? {
        guard utf8.first != UInt8(ascii: "/"), let scheme = firstRange(of: "://") else { return nil }
        return String(self[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" })
    }

    /// The path of a request target in origin or absolute form (RFC 9112 section 3.2), without its query.
    fileprivate var requestPath: Substring {
        var target = self[...]
        if utf8.first != UInt8(ascii: "/"), let scheme = target.utf8.firstIndex(of: UInt8(ascii: ":")),
            target[scheme...].hasPrefix("://")
        {
            let authority = target[scheme...].dropFirst("://".count)
            target = authority.firstIndex(of: "/").map { authority[$0...] } ?? "/"
        }
        return target.utf8.firstIndex(of: UInt8(ascii: "?")).map { target[..<$0] } ?? target
    }
}

import Basics
import NIOCore
import NIOHPACK
import NIOHTTP1
import OTLP
import Pipeline

/// A request of OTLP over HTTP that came by HTTP/2.
///
/// Only used on the event loop of its connection.
final class HTTPStreamRequest: StreamRequest {
    let observer: LoopObserver
    private let connection: HTTP2Connection
    private let paths: RequestPaths
    private let head: HTTPRequestHead
    private var request: HeldRequest
    private var plan: RequestPlan?
    /// Whom its memory counts for.
    private var holder: MemoryHolder?
    private var body: BodyCollector?

    /// - Parameters:
    ///   - fields: Its head.
    ///   - hasBody: Whether it goes on behind the head.
    ///   - observer: The event loop's share of the receiver that takes it, whose connection it is.
    ///   - connection: The one that it came by.
    init(
        _ fields: HPACKHeaders,
        hasBody: Bool,
        for observer: LoopObserver,
        on connection: HTTP2Connection
    ) {
        self.observer = observer
        self.connection = connection
        head = HTTPRequestHead(fields)
        let context = observer.loop.value.context
        paths = context.paths
        var headers = RequestHeaders(head, keeping: context.keptHeaders)
        if let authority = fields.first(name: ":authority") { headers.hosts.append(authority) }
        headers.hasOpenLength = hasBody && headers.contentLength == nil
        request = HeldRequest(head, headers, context.pages)
        request.form.keepsAlive = true
    }

    var signal: Signal? { request.form.signal }
    var timeout: TimeAmount? { nil }
    let slow = HTTPError(.requestTimeout, "the request's body did not come in time")

    func begin() throws(HTTPError) -> StreamStep {
        switch try connection.judge(head, &request, paths) {
        case .answer(let answer): return .answered(reply(answer))
        case .body(let plan):
            self.plan = plan
            try connection.moveConnection(to: request.identity)
            request.inFlight = try connection.admit(request.identity, needing: plan.neededBytes)
            let holder = try connection.checkShare(of: request.identity, adding: plan.neededBytes)
            self.holder = holder
            return .needs(StreamNeed(bytes: plan.neededBytes, holder: holder))
        }
    }

    func open() throws(HTTPError) -> HPACKHeaders? {
        guard let plan else { return nil }
        body = try connection.body(of: request, plan, for: holder)
        return plan.expectsContinue ? [":status": "100"] : nil
    }

    func take(_ bytes: inout ByteBuffer) throws(HTTPError) -> StreamNeed? {
        try body?.append(bytes)
        return nil
    }

    func finish() throws(HTTPError) -> StreamOutcome {
        guard let plan, let bytes = try body?.finish(), let room = body?.room, !bytes.isEmpty else {
            return .reply(reply(.success))
        }
        let whole = IncomingRequest(
            signal: plan.signal,
            encoding: plan.encoding,
            body: bytes,
            source: connection.source(of: request),
            deviations: plan.deviations,
            memory: room.reservation
        )
        return .request(whole, room)
    }

    func isStalled(at now: NIODeadline) -> Bool { body?.isStalled(at: now) == true }

    func drop() {
        body = nil
        request.inFlight = nil
    }

    func reply(_ answer: Answer) -> StreamReply {
        request.form.reply(answer, date: observer.loop.value.currentDate())
    }

    func note(_ reply: IntakeAnswer) {
        observer.loop.value.note(reply, of: request.identity, from: connection.peer)
    }
}

extension HTTPRequestHead {
    /// The head of a request that came by HTTP/2.
    fileprivate init(_ fields: HPACKHeaders) {
        var headers = HTTPHeaders()
        for (name, value, _) in fields where !name.hasPrefix(":") { headers.add(name: name, value: value) }
        self.init(
            version: .http2,
            method: HTTPMethod(rawValue: fields.first(name: ":method") ?? ""),
            uri: fields.first(name: ":path") ?? "",
            headers: headers
        )
    }
}

extension AnswerForm {
    /// The whole response in HTTP/2.
    fileprivate func reply(_ answer: Answer, date: String) -> StreamReply {
        let body = answer.body(encoding, signal: signal ?? .traces)
        var lines = ByteBuffer()
        writeFields(answer, bodyBytes: body.count, date: date, to: &lines)
        var head: HPACKHeaders = [":status": String(answer.status.rawValue)]
        for line in String(buffer: lines).split(whereSeparator: \.isNewline) {
            guard let colon = line.firstIndex(of: ":") else { continue }
            head.add(name: String(line[..<colon]), value: String(line[colon...].dropFirst(2)))
        }
        let hasBody = !omitsBody && !body.isEmpty
        return StreamReply(code: .http(answer.status), head: head, body: hasBody ? ByteBuffer(bytes: body) : nil)
    }
}

import Basics
import NIOCore
import NIOHTTP1
import OTLP
import Pipeline

/// One request that is being received or answered.
struct Exchange {
    var form: AnswerForm
    var body: BodyCollector
    let plan: RequestPlan
    let source: RequestSource
    /// Whether what is left of the body may be read to its end after a refusal.
    let mayDrain: Bool
    let offersUpgrade: Bool
}

extension HTTPConnection {
    /// A refused body up to this long is read to its end, so that the connection can stay.
    private static let drainBytesMax = 1 << 20
    /// How long a client may take to close after its last answer.
    private static let lingerTimeout: Duration = .seconds(2)
    /// What must come in that time of a body that is refused for who sends it.
    private static let dropBytesMin = 16 << 10

    // MARK: Request

    /// Decides by the head, and answers or makes ready for the body.
    func begin(_ head: HTTPRequestHead) {
        let settings = loop.context.settings
        let headers = RequestHeaders(head, keeping: loop.context.keptHeaders)
        var form = AnswerForm()
        form.encoding = headers.answerEncoding
        form.keepsAlive = head.isKeepAlive && head.method != .CONNECT
        form.saysKeepAlive = head.version == .http1_0
        form.omitsBody = head.method == .HEAD
        let length = headers.transferEncoding == nil ? headers.contentLength ?? 0 : .max
        let pages = loop.context.pages
        form.origin = pages?.allowedOrigin(of: head)
        var request = HeldRequest(form: form, length: length, headers: headers)
        do throws(HTTPError) {
            try loop.checkHosts(headers.hosts, from: peer)
            if form.origin == nil { try pages?.check(head) }
            if try answersPreflight(head, request) { return }
            let access = loop.context.access
            request.identity = try access.identify(headers.authorization, certificate: peerIdentity, from: peer)
            try checkExperiments(head, request.identity)
            let plan = try RequestPlan(head, headers, settings, paths, taking: loop.context.intake.signals)
            request.form.signal = plan.signal
            if plan.isAlias, !access.isNeeded, !headers.authorization.isEmpty { loop.context.credentials.noteIgnored() }
            if loop.isRefusing { throw .stopping }
            try checkLimits(&request, plan)
            try checkShare(of: request.identity, adding: needed(by: plan))
            if try waits(request, plan) { return }
            try receive(request, plan)
        } catch {
            refuse(request, error)
        }
    }

    /// Whether a browser asked if a page may send, which is answered: it shows no credentials then.
    private func answersPreflight(_ head: HTTPRequestHead, _ request: HeldRequest) throws(HTTPError) -> Bool {
        let context = loop.context
        guard let pages = context.pages, let origin = request.form.origin, head.isPreflight else { return false }
        var request = request
        request.form.signal = try RequestPlan.place(head.uri, paths, context.intake.signals).0
        pages.noteHeaders(of: head, from: origin)
        answer(.preflight(pages.policy.preflightLines), request)
        return true
    }

    private func checkExperiments(_ head: HTTPRequestHead, _ identity: Identity?) throws(HTTPError) {
        let context = loop.context
        guard context.experiments.concerns(identity),
            let refusal = context.experiments.refusal(head.headers[ExperimentList.headerName], of: identity)
        else { return }
        context.access.note(.header, from: peer, of: identity)
        throw refusal
    }

    /// Makes ready for the body.
    func receive(_ request: HeldRequest, _ plan: RequestPlan) throws(HTTPError) {
        let (settings, headers) = (loop.context.settings, request.headers)
        exchange = Exchange(
            form: request.form,
            body: try BodyCollector(
                codings: plan.codings,
                announced: plan.contentLength,
                limit: min(settings.maxBody, loop.context.memory.limit),
                room: BodyRoom(
                    reservation: Reservation(loop.context.memory, of: client.memory),
                    inFlight: request.inFlight
                )
            ),
            plan: plan,
            source: RequestSource(
                receiver: loop.context.name,
                headers: headers.kept,
                identity: request.identity,
                client: headers.userAgent,
                address: peer
            ),
            mayDrain: request.length <= Self.drainBytesMax,
            offersUpgrade: headers.offersUpgrade
        )
        phase = .receiving
        setDeadline(in: settings.bodyTimeout)
        if plan.expectsContinue { write(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n")) }
    }

    /// Refuses a request whose body was not read.
    func refuse(_ request: HeldRequest, _ refusal: HTTPError) {
        answer(.failure(refusal), request)
    }

    /// Answers a request whose body was not read.
    private func answer(_ answer: Answer, _ request: HeldRequest) {
        // A client that waits for leave to send its body may or may not send it after a refusal.
        let isCertain = request.length <= Self.drainBytesMax && request.headers.expectation == nil
        var form = request.form
        form.keepsAlive = form.keepsAlive && isCertain && !request.headers.offersUpgrade
        self.answer(answer, form, isAtEnd: false)
    }

    /// Takes a piece of the body.
    func receive(_ bytes: ByteBuffer) {
        do throws(HTTPError) {
            try exchange?.body.append(bytes)
        } catch {
            guard var form = exchange?.form else { return }
            form.keepsAlive = form.keepsAlive && exchange?.mayDrain == true && exchange?.offersUpgrade == false
            answer(.failure(error), form, isAtEnd: false)
        }
    }

    /// Ends a body that stopped coming, so that what it holds goes to others.
    func refuseIfStalled(at now: NIODeadline) {
        guard phase == .receiving, exchange?.body.isStalled(at: now) == true else { return }
        refuse(.stalled)
    }

    /// The body is complete: hands the request on.
    func complete() {
        guard let (form, plan, source) = exchange.map({ ($0.form, $0.plan, $0.source) }) else { return }
        do throws(HTTPError) {
            guard let body = try exchange?.body.finish(), let room = exchange?.body.room else { return }
            guard !body.isEmpty else { return answer(.success, form, isAtEnd: true) }
            if loop.isRefusing { throw .stopping }
            let request = IncomingRequest(
                signal: plan.signal,
                encoding: plan.encoding,
                body: body,
                source: source,
                memory: room.reservation
            )
            phase = .waiting
            clearDeadline()
            if let reply = loop.submit(request, of: self, holding: room, observer: observer) {
                note(reply, to: source)
                answer(Answer(reply), form, isAtEnd: true)
            }
        } catch {
            answer(.failure(error), form, isAtEnd: true)
        }
    }

    /// The pipelines' answer to the request that waits.
    func settled(_ reply: IntakeAnswer) {
        guard phase == .waiting, let (form, source) = exchange.map({ ($0.form, $0.source) }) else { return }
        note(reply, to: source)
        answer(Answer(reply), form, isAtEnd: true)
        resume()
    }

    private func note(_ reply: IntakeAnswer, to source: RequestSource) {
        guard case .forbidden(let reason) = reply, let identity = source.identity else { return }
        loop.context.access.noteForbidden(reason, from: source.address, of: identity)
    }

    // MARK: Answer

    /// Answers, and goes on as far as the request was read: `isAtEnd` says whether that was to its end.
    func answer(_ answer: Answer, _ form: AnswerForm, isAtEnd: Bool) {
        var form = form
        // A client must not expect answers after "close": what it has sent already is answered before.
        let isLast = ahead.hasLost || (loop.isStopping && !(isAtEnd ? hasMore : holdsNextHead))
        form.keepsAlive = form.keepsAlive && !isLast
        loop.count(.http(answer.status), form.signal)
        write(form.response(answer, date: loop.currentDate()))
        exchange = nil
        if form.keepsAlive, isAtEnd { return awaitRequest() }
        let time = loop.context.settings.bodyTimeout
        if !isAtEnd, answer.status.refusesSender {
            dropEnd = .now() + TimeAmount(time)
            dropMark = droppedBytes
        }
        let most = dropEnd == nil ? max(Self.lingerTimeout, time) : min(Self.lingerTimeout, time)
        guard form.keepsAlive else { return linger(for: isAtEnd ? Self.lingerTimeout : most) }
        phase = .draining
        setDeadline(in: most)
    }

    /// Whether the rest of a refused body still comes, and is waited for: who only holds the connection is closed soon.
    func goesOnDropping() -> Bool {
        guard let dropEnd, .now() < dropEnd, droppedBytes - dropMark >= Self.dropBytesMin else { return false }
        dropMark = droppedBytes
        setDeadline(in: Self.lingerTimeout)
        return true
    }

    /// Ends a request that cannot be read on, or a connection that is not HTTP.
    func refuse(_ refusal: HTTPError) {
        var form = exchange?.form ?? AnswerForm()
        form.keepsAlive = false
        answer(.failure(refusal), form, isAtEnd: false)
    }

    /// The parser cannot go on.
    func refuse(_ error: any Error) {
        if case HTTPParserError.headerOverflow = error {
            return refuse(
                HTTPError(.headersTooLarge, "the request's head is longer than \(RequestDecoder.headBytesMax) bytes")
            )
        }
        refuse(HTTPError(.badRequest, "not a valid HTTP/1.1 request: \(error)"))
    }

    /// The connection is one too many.
    func refuseConnection(_ refusal: HTTPError) {
        guard phase != .closed else { return }
        loop.count(.http(refusal.status), nil)
        write(AnswerForm().response(.failure(refusal), date: loop.currentDate()))
        linger(for: Self.lingerTimeout)
    }
}

extension HTTPStatus {
    /// Whether it is mostly said to clients that may not send, and that are to hold nothing here.
    fileprivate var refusesSender: Bool { self == .unauthorized || self == .forbidden || self == .tooManyRequests }
}

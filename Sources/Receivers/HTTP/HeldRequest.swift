import Basics
import NIOHTTP1
import Pipeline

/// A request whose head was read, and what is left to decide by it.
struct HeldRequest {
    var form: AnswerForm
    /// Bytes that its body has on the wire; the most possible where that is not known.
    let length: Int
    let headers: RequestHeaders
    /// Who sent it; nil without authentication.
    var identity: Identity?
    /// What is counted of its body in its client's limits.
    var inFlight: BodyInFlight?
    var plan: RequestPlan?

    /// Nothing is decided yet.
    ///
    /// - Parameters:
    ///   - head: The request's head.
    ///   - headers: What it says.
    ///   - pages: What the receiver does with requests of web pages.
    init(_ head: HTTPRequestHead, _ headers: RequestHeaders, _ pages: WebPages?) {
        form = AnswerForm()
        form.encoding = headers.answerEncoding
        form.keepsAlive = head.isKeepAlive && head.method != .CONNECT
        form.saysKeepAlive = head.version == .http1_0
        form.omitsBody = head.method == .HEAD
        form.origin = pages?.allowedOrigin(of: head)
        length = headers.bodyLength ?? .max
        self.headers = headers
    }
}

/// What a request's head leads to.
enum HeadVerdict {
    /// That is all that there is to it.
    case answer(Answer)
    /// Its body is taken so.
    case body(RequestPlan)
}

extension ReceiverConnection {
    /// Decides by the head, whatever version of HTTP it came by; throws what the request is refused for.
    func judge(
        _ head: HTTPRequestHead,
        _ request: inout HeldRequest,
        _ paths: RequestPaths
    ) throws(HTTPError) -> HeadVerdict {
        let (context, headers) = (loop.context, request.headers)
        try loop.checkHosts(headers.hosts, from: peer)
        if request.form.origin == nil { try context.pages?.check(head) }
        if let answer = try preflight(head, &request, paths) { return .answer(answer) }
        request.identity = try context.access.identify(
            headers.authorization,
            certificate: peerIdentity,
            from: peer
        )
        try checkExperiments(head, request.identity)
        let plan = try RequestPlan(head, headers, context.settings, paths, taking: context.intake.signals)
        request.form.signal = plan.signal
        if plan.isAlias, !context.access.isNeeded, !headers.authorization.isEmpty { context.credentials.noteIgnored() }
        if loop.isRefusing { throw .stopping }
        return .body(plan)
    }

    /// The answer to a browser that asks if a page may send: it shows no credentials then.
    private func preflight(
        _ head: HTTPRequestHead,
        _ request: inout HeldRequest,
        _ paths: RequestPaths
    ) throws(HTTPError) -> Answer? {
        let context = loop.context
        guard let pages = context.pages, let origin = request.form.origin, head.isPreflight else { return nil }
        request.form.signal = try RequestPlan.place(head.uri, paths, context.intake.signals).0
        pages.noteHeaders(of: head, from: origin)
        return .preflight(pages.policy.preflightLines)
    }

    private func checkExperiments(_ head: HTTPRequestHead, _ identity: Identity?) throws(HTTPError) {
        let context = loop.context
        guard context.experiments.concerns(identity),
            let refusal = context.experiments.refusal(head.headers[ExperimentList.headerName], of: identity)
        else { return }
        context.access.note(.header, from: peer, of: identity)
        throw refusal
    }

    /// Takes the body of a request for which there is room.
    func body(
        of request: HeldRequest,
        _ plan: RequestPlan,
        for holder: MemoryHolder?
    ) throws(HTTPError) -> BodyCollector {
        let context = loop.context
        return try BodyCollector(
            codings: plan.codings,
            announced: plan.contentLength,
            limit: min(context.settings.maxBody, context.memory.limit),
            room: BodyRoom(reservation: Reservation(context.memory, of: holder), inFlight: request.inFlight)
        )
    }

    /// Who sent a request, and what is kept of its head.
    func source(of request: HeldRequest) -> RequestSource {
        RequestSource(
            receiver: loop.context.name,
            headers: request.headers.kept,
            identity: request.identity,
            client: request.headers.userAgent,
            address: peer
        )
    }
}

extension RequestPlan {
    /// Bytes that the body is said to have, or taken to have.
    var neededBytes: Int { contentLength ?? BodyCollector.unknownBytes }
}

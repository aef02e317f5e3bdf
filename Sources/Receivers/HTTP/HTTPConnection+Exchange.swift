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
        var request = HeldRequest(head, RequestHeaders(head, keeping: loop.context.keptHeaders), loop.context.pages)
        do throws(HTTPError) {
            let plan: RequestPlan
            switch try judge(head, &request, paths) {
            case .answer(let answer): return self.answer(answer, request)
            case .body(let found): plan = found
            }
            // Who opens too many connections is to have less of them.
            let keepsAlive = request.form.keepsAlive
            request.form.keepsAlive = false
            try moveConnection(to: request.identity)
            request.form.keepsAlive = keepsAlive
            request.inFlight = try admit(request.identity, needing: plan.neededBytes)
            try checkShare(of: request.identity, adding: plan.neededBytes)
            if try waits(request, plan) { return }
            try receive(request, plan)
        } catch {
            refuse(request, error)
        }
    }

    /// Makes ready for the body.
    func receive(_ request: HeldRequest, _ plan: RequestPlan) throws(HTTPError) {
        exchange = Exchange(
            form: request.form,
            body: try body(of: request, plan, for: client.memory),
            plan: plan,
            source: source(of: request),
            mayDrain: request.length <= Self.drainBytesMax,
            offersUpgrade: request.headers.offersUpgrade
        )
        phase = .receiving
        setDeadline(in: loop.context.settings.bodyTimeout)
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
                deviations: plan.deviations,
                memory: room.reservation
            )
            phase = .waiting
            clearDeadline()
            if let reply = loop.submit(request, of: self, holding: room, observer: observer) {
                loop.note(reply, of: source.identity, from: peer)
                answer(Answer(reply), form, isAtEnd: true)
            }
        } catch {
            answer(.failure(error), form, isAtEnd: true)
        }
    }

    /// The pipelines' answer to the request that waits.
    func settled(_ reply: IntakeAnswer) {
        guard phase == .waiting, let (form, source) = exchange.map({ ($0.form, $0.source) }) else { return }
        loop.note(reply, of: source.identity, from: peer)
        answer(Answer(reply), form, isAtEnd: true)
        resume()
    }

    // MARK: Answer

    /// Answers, and goes on as far as the request was read: `isAtEnd` says whether that was to its end.
    func answer(_ answer: Answer, _ form: AnswerForm, isAtEnd: Bool) {
        var form = form
        // A client must not expect answers after "close": what it has sent already is answered before.
        let isLast = ahead.hasLost || ((loop.isStopping || isOld) && !(isAtEnd ? hasMore : holdsNextHead))
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
            return refuse(.headTooLong)
        }
        refuse(HTTPError(.badRequest, "not a valid HTTP/1.1 request: \(error)"))
    }

    /// The connection is one too many.
    func refuseConnection(_ refusal: HTTPError) {
        // In HTTP/2 it has a form of its own.
        if isSpeechUnknown { return awaitSpeech() }
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

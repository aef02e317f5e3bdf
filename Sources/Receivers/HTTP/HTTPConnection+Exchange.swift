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
        do throws(Refusal) {
            let plan = try RequestPlan(head, headers, settings)
            form.signal = plan.signal
            exchange = Exchange(
                form: form,
                body: try BodyCollector(
                    plan,
                    limit: min(settings.maxBody, loop.context.memory.limit),
                    budget: loop.context.memory
                ),
                plan: plan,
                source: RequestSource(receiver: loop.context.name, headers: headers.kept, client: headers.userAgent),
                mayDrain: length <= Self.drainBytesMax,
                offersUpgrade: headers.offersUpgrade
            )
            phase = .receiving
            setDeadline(in: settings.bodyTimeout)
            if plan.expectsContinue { write(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n")) }
        } catch {
            // A client that waits for leave to send its body may or may not send it after a refusal.
            let isCertain = length <= Self.drainBytesMax && headers.expectation == nil && !headers.offersUpgrade
            form.keepsAlive = form.keepsAlive && isCertain
            answer(.failure(error), form, isAtEnd: false)
        }
    }

    /// Takes a piece of the body.
    func receive(_ bytes: ByteBuffer) {
        do throws(Refusal) {
            try exchange?.body.append(bytes)
        } catch {
            guard var form = exchange?.form else { return }
            form.keepsAlive = form.keepsAlive && exchange?.mayDrain == true && exchange?.offersUpgrade == false
            answer(.failure(error), form, isAtEnd: false)
        }
    }

    /// The body is complete: hands the request on.
    func complete() {
        guard let (form, plan, source) = exchange.map({ ($0.form, $0.plan, $0.source) }) else { return }
        do throws(Refusal) {
            guard let body = try exchange?.body.finish(), let reservation = exchange?.body.reservation else { return }
            guard !body.isEmpty else { return answer(.success, form, isAtEnd: true) }
            let request = IncomingRequest(signal: plan.signal, encoding: plan.encoding, body: body, source: source)
            phase = .waiting
            clearDeadline()
            if let reply = loop.submit(request, of: self, holding: reservation, observer: observer) {
                answer(Answer(reply), form, isAtEnd: true)
            }
        } catch {
            answer(.failure(error), form, isAtEnd: true)
        }
    }

    /// The pipelines' answer to the request that waits.
    func settled(_ reply: IntakeAnswer) {
        guard phase == .waiting, let form = exchange?.form else { return }
        answer(Answer(reply), form, isAtEnd: true)
        resume()
    }

    // MARK: Answer

    /// Answers, and goes on as far as the request was read: `isAtEnd` says whether that was to its end.
    private func answer(_ answer: Answer, _ form: AnswerForm, isAtEnd: Bool) {
        var form = form
        form.keepsAlive = form.keepsAlive && !loop.isStopping && !hasLostEvents
        loop.count(answer.status, form.signal)
        write(form.response(answer, date: loop.currentDate()))
        exchange = nil
        if !form.keepsAlive {
            linger(for: isAtEnd ? Self.lingerTimeout : max(Self.lingerTimeout, loop.context.settings.bodyTimeout))
        } else if isAtEnd {
            becomeReady()
        } else {
            phase = .draining
            setDeadline(in: loop.context.settings.bodyTimeout)
        }
    }

    /// Takes the next request.
    func becomeReady() {
        guard !loop.isStopping else { return closeNow() }
        phase = .ready
        setDeadline(in: loop.context.settings.idleTimeout)
    }

    /// Ends a request that cannot be read on, or a connection that is not HTTP.
    func refuse(_ refusal: Refusal) {
        var form = exchange?.form ?? AnswerForm()
        form.keepsAlive = false
        answer(.failure(refusal), form, isAtEnd: false)
    }

    /// The parser cannot go on.
    func refuse(_ error: any Error) {
        if case HTTPParserError.headerOverflow = error {
            return refuse(
                Refusal(.headersTooLarge, "the request's head is longer than \(RequestDecoder.headBytesMax) bytes")
            )
        }
        refuse(Refusal(.badRequest, "not a valid HTTP/1.1 request: \(error)"))
    }

    /// The connection is one too many.
    func refuseConnection() {
        let message = "too many connections; at most \(loop.context.settings.maxConnections) are allowed"
        loop.count(.serviceUnavailable, nil)
        let refusal = Refusal(.serviceUnavailable, message, retryAfter: .seconds(1))
        write(AnswerForm().response(.failure(refusal), date: loop.currentDate()))
        linger(for: Self.lingerTimeout)
    }
}

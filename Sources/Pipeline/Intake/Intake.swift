package import Basics
package import OTLP

/// How a request body is written.
package enum BodyEncoding: Sendable, Hashable {
    /// `application/x-protobuf`.
    case protobuf
    /// `application/json`: OTLP's own JSON mapping (protocol section "JSON Protobuf Encoding").
    case json
}

/// Where a request came from, as far as processors may ask.
package struct RequestSource: Sendable {
    /// The receiver's key in the pipeline file.
    package var receiver: String
    /// The request's headers that a processor or `forward_headers` wants, names in lower case.
    package var headers: [HTTPHeader]
    /// Who sent it; nil without authentication.
    package var identity: Identity?
    /// The client's `User-Agent`, for naming who deviates from the specification.
    package var client: String?
    /// The address of the connection's other end.
    package var address: SourceAddress
    /// Set where the request is recorded (`telemetry`).
    package var trace: RequestTrace?
    /// Where spans go that no processor routes: a gateway before this one has chosen it.
    package var route = Route.none

    package init(
        receiver: String,
        headers: [HTTPHeader] = [],
        identity: Identity? = nil,
        client: String? = nil,
        address: SourceAddress = .unknown
    ) {
        self.receiver = receiver
        self.headers = headers
        self.identity = identity
        self.client = client
        self.address = address
    }

    /// The value of the first header of that lower-case name.
    package func header(_ name: String) -> String? { headers.first { $0.name == name }?.value }
}

/// One export request, decompressed.
package struct IncomingRequest: Sendable {
    package var signal: Signal
    package var encoding: BodyEncoding
    package var body: [UInt8]
    package var source: RequestSource
    /// What its head wrote otherwise than OTLP asks.
    package var deviations: DeviationCounts
    /// Holds the body's bytes, and grows with what the intake holds until the answer; nil where nobody counts them.
    package var memory: Reservation?
    /// Tells whether the client still waits for the answer; nil where that is not known.
    package var presence: ClientPresence?

    package init(
        signal: Signal,
        encoding: BodyEncoding,
        body: [UInt8],
        source: RequestSource,
        deviations: DeviationCounts = DeviationCounts(),
        memory: Reservation? = nil
    ) {
        self.deviations = deviations
        self.memory = memory
        self.signal = signal
        self.encoding = encoding
        self.body = body
        self.source = source
    }
}

/// What a client is told (protocol sections "Full Success", "Partial Success" and "Failures").
package enum IntakeAnswer: Sendable, Equatable {
    /// Everything was taken.
    case accepted
    /// The valid items were taken; `rejected` were not, for the reasons in `message`.
    case partial(rejected: Int, message: String)
    /// The body cannot be read or holds nothing valid: 400.
    case invalid(String)
    /// The body is over a limit: 413.
    case tooLarge(String)
    /// The client may not send some of it where it would go: 403.
    case forbidden(String)
    /// One client or route takes more than its share: 429.
    case throttled(String, retryAfter: Duration)
    /// No room now: 503.
    case unavailable(String, retryAfter: Duration)
}

/// Gets the answers of requests that had to wait for the disk.
///
/// One object for each event loop, so that all requests settled by one sync come back in one hop.
package protocol IntakeObserver: AnyObject, Sendable {
    /// Called with every answer that one sync settled for this observer, on the journal's thread, or with one that waited for
    /// an exporter, on any thread; must not block.
    func settled(_ answers: [(ticket: UInt64, answer: IntakeAnswer)])
}

/// The front half of the pipelines: takes decoded requests from receivers.
package protocol Intake: Sendable {
    /// What is taken: requests of other signals have nowhere to go.
    var signals: Set<Signal> { get }

    /// Reads, processes and journals one request.
    ///
    /// Runs on the caller's thread, without blocking.
    ///
    /// - Parameters:
    ///   - request: The request; its memory stays reserved until the answer.
    ///   - ticket: Names the request in `observer.settled`.
    ///   - observer: Gets the answer where it is not known at once.
    /// - Returns: The answer, where nothing has to wait; nil when `observer` will get exactly one for this ticket.
    func accept(_ request: IncomingRequest, ticket: UInt64, observer: any IntakeObserver) -> IntakeAnswer?
}

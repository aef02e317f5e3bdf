import Basics
import Logging
import OTLP
import Pipeline
import Receivers
import TestKit
import Testing

/// A receiver on a port of its own, with what stands around it.
struct ReceiverHarness {
    let receiver: OTLPReceiver
    let intake: ScriptedIntake
    let memory: MemoryBudget
    let meters: Meters
    let address: ListenAddress

    func connect() throws -> RawConnection { try RawConnection(to: address) }

    /// Sends one request on a connection of its own and returns the answer.
    func exchange(_ request: [UInt8], hasBody: Bool = true) async throws -> RawConnection.Response {
        let connection = try connect()
        await connection.send(request)
        return try #require(await connection.receive(hasBody: hasBody))
    }

    /// Sends one request on a connection of its own and expects that status.
    func expect(_ status: Int, _ request: [UInt8], at location: SourceLocation = #_sourceLocation) async throws {
        let answer = try await exchange(request)
        #expect(answer.status == status, sourceLocation: location)
    }
}

/// Runs `body` against a receiver, closes it, and checks that nothing is left of it.
func withReceiver(
    _ intake: ScriptedIntake = ScriptedIntake(),
    memory: ByteCount = .mebibytes(64),
    sockets: [GivenSocket] = [],
    eventLoops: Int = 2,
    log: LogLines? = nil,
    clock: WallClock = .system,
    steady: MonotonicClock = .system,
    _ configure: (inout OTLPHTTPReceiverSettings) -> Void = { _ in },
    _ body: (ReceiverHarness) async throws -> Void
) async throws {
    var settings = OTLPHTTPReceiverSettings()
    settings.common.beForTests()
    configure(&settings)
    let make = { [settings] context in OTLPReceiver(settings, in: context, clock: clock, steady: steady) }
    try await withOTLPReceiver(
        intake,
        memory: memory,
        sockets: sockets,
        eventLoops: eventLoops,
        log: log,
        make: make,
        body
    )
}

extension ReceptionSettings {
    /// On any free port, and patient: a test on a busy machine may be a slow client, without meaning it.
    mutating func beForTests() {
        listen = .tcp(host: "127.0.0.1", port: 0)
        (headerTimeout, bodyTimeout, idleTimeout) = (.seconds(600), .seconds(600), .seconds(600))
    }
}

/// Runs `body` against the receiver that `make` makes, closes it, and checks that nothing is left of it.
func withOTLPReceiver(
    _ intake: ScriptedIntake,
    memory: ByteCount,
    sockets: [GivenSocket] = [],
    eventLoops: Int,
    log: LogLines?,
    make: (ReceiverContext) -> OTLPReceiver,
    _ body: (ReceiverHarness) async throws -> Void
) async throws {
    let (budget, meters, eventLoops) = (MemoryBudget(limit: memory), Meters(), EventLoops(count: eventLoops))
    var context = ReceiverContext(
        name: "otlp",
        intake: intake,
        memory: budget,
        eventLoops: eventLoops,
        meters: meters,
        logger: log?.logger ?? Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    )
    context.sockets = sockets
    let receiver = make(context)
    try await receiver.start()
    let harness = ReceiverHarness(
        receiver: receiver,
        intake: intake,
        memory: budget,
        meters: meters,
        address: try #require(receiver.boundAddress)
    )
    let result: Result<Void, any Error>
    do { result = .success(try await body(harness)) } catch { result = .failure(error) }
    intake.settle(.accepted)
    await receiver.close()
    await receiver.finish(within: .seconds(10))
    #expect(budget.inUse == 0, "memory stays reserved")
    #expect(meters.prometheusText().contains("millrace_receiver_connections{receiver=\"otlp\"} 0\n"))
    await eventLoops.shutdown()
    try result.get()
}

/// The bytes of a request.
func request(
    _ method: String = "POST",
    _ path: String = "/v1/traces",
    type: String? = "application/x-protobuf",
    headers: [String] = [],
    version: String = "HTTP/1.1",
    body: [UInt8] = []
) -> [UInt8] {
    var lines = ["\(method) \(path) \(version)", "Host: localhost"]
    if let type { lines.append("Content-Type: \(type)") }
    if !body.isEmpty { lines.append("Content-Length: \(body.count)") }
    lines += headers
    return Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
}

/// The `message` of a `google.rpc.Status` in protobuf form; nil where it is none.
func statusMessage(_ bytes: [UInt8]) -> String? {
    RPCStatus(decoding: bytes, .protobuf).flatMap { $0.code == 0 ? nil : $0.message }
}

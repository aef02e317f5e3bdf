import Basics
import Glibc
import OTLP
import Pipeline
import Receivers

/// Requests over one connection to a receiver with one event loop, each sent when the one before is answered.
struct ReceiveStep {
    private let request: [UInt8]

    init(_ body: [UInt8]) {
        let lines = [
            "POST /v1/traces HTTP/1.1", "Host: localhost", "User-Agent: benchmarks",
            "Content-Type: application/x-protobuf", "Content-Length: \(body.count)",
        ]
        request = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body
    }

    /// Sends so many requests; returns how many were answered 200.
    func run(_ requests: Int) async throws -> Int {
        var settings = OTLPHTTPReceiverSettings()
        settings.listen = .tcp(host: "127.0.0.1", port: 0)
        let eventLoops = EventLoops(count: 1)
        let context = ReceiverContext(
            name: "otlp",
            intake: AgreeableIntake(),
            memory: MemoryBudget(limit: .mebibytes(256)),
            eventLoops: eventLoops,
            meters: Meters(),
            logger: StepRun.logger
        )
        let receiver = OTLPReceiver(settings, in: context)
        try await receiver.start()
        guard case .tcp(_, let port)? = receiver.boundAddress else { throw StepRun.Failure(reason: "no port") }
        let client = try BlockingClient(port: port)
        var answered = 0
        for _ in 0..<requests where client.exchange(request) { answered += 1 }
        client.close()
        await receiver.close()
        await eventLoops.shutdown()
        return answered
    }
}

/// Takes everything, and answers through the observer as the pipelines do.
private struct AgreeableIntake: Intake {
    let signals = Set(Signal.allCases)

    func accept(_ request: IncomingRequest, ticket: UInt64, observer: any IntakeObserver) -> IntakeAnswer? {
        observer.settled([(ticket, .accepted)])
        return nil
    }
}

/// A client that costs next to nothing: two system calls a request.
private struct BlockingClient {
    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var yes: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw StepRun.Failure(reason: "connect: errno \(errno)") }
    }

    /// Sends one request and reads its answer, which has no body; whether that was a 200.
    func exchange(_ request: [UInt8]) -> Bool {
        request.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let count = Glibc.send(descriptor, bytes.baseAddress.map { $0 + sent }, bytes.count - sent, 0)
                guard count > 0 else { return false }
                sent += count
            }
            return withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 8) { answer in
                var received = 0
                while received < 16 || !answer[..<received].suffix(4).elementsEqual([13, 10, 13, 10]) {
                    let count = recv(descriptor, answer.baseAddress.map { $0 + received }, answer.count - received, 0)
                    guard count > 0 else { return false }
                    received += count
                }
                return answer[9] == UInt8(ascii: "2")
            }
        }
    }

    func close() {
        Glibc.close(descriptor)
    }
}

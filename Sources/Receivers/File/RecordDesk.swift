import NIOCore
import Pipeline
import Synchronization

/// Hands records to the intake, some at once, and waits for the answers.
///
/// Any thread; one call at a time.
final class RecordDesk: IntakeObserver {
    private struct Batch {
        var answers: [IntakeAnswer?]
        var missing: Int
        let continuation: CheckedContinuation<[IntakeAnswer], Never>
    }

    private let intake: any Intake
    private let loop: any EventLoop
    private let batch = Mutex<Batch?>(nil)

    /// The intake works on `loop`.
    init(_ intake: any Intake, on loop: any EventLoop) {
        self.intake = intake
        self.loop = loop
    }

    /// The answers to requests, in their order.
    func answers(to requests: [IncomingRequest]) async -> [IntakeAnswer] {
        guard !requests.isEmpty else { return [] }
        return await withCheckedContinuation { continuation in
            batch.withLock { batch in
                batch = Batch(
                    answers: Array(repeating: nil, count: requests.count),
                    missing: requests.count,
                    continuation: continuation
                )
            }
            loop.execute { [self] in
                for (index, request) in requests.enumerated() {
                    let ticket = UInt64(index)
                    if let answer = intake.accept(request, ticket: ticket, observer: self) {
                        settled([(ticket, answer)])
                    }
                }
            }
        }
    }

    func settled(_ answers: [(ticket: UInt64, answer: IntakeAnswer)]) {
        let done = batch.withLock { batch -> Batch? in
            for (ticket, answer) in answers where batch?.answers[Int(ticket)] == nil {
                batch?.answers[Int(ticket)] = answer
                batch?.missing -= 1
            }
            guard batch?.missing == 0 else { return nil }
            defer { batch = nil }
            return batch
        }
        done?.continuation.resume(returning: done?.answers.compactMap(\.self) ?? [])
    }
}

import Basics
import Synchronization
import TestKit
import Testing

@testable import Journal
@testable import Pipeline

/// Clients that wait for a delivery while the process ends.
@Suite struct DeliveryEndTests {
    private final class Told: Sendable {
        private let answers = Mutex<[IntakeAnswer]>([])

        var all: [IntakeAnswer] { answers.withLock { $0 } }

        func note(_ answer: IntakeAnswer) { answers.withLock { $0.append(answer) } }
    }

    @Test(arguments: [true, false])
    func `whose request is delivered is told so, even where that is still on its way`(isDelivered: Bool) throws {
        let bench = try PipelineBench(to: ScriptedExporter())
        let log = try #require(bench.delivery.log)
        let answers = DeliveryAnswers(
            exporter: "out",
            timeout: .seconds(60),
            deliveries: [bench.delivery],
            awaited: AwaitedRecords()
        )
        let record = NewRecord(log: log, kind: .items, items: 1, metadata: [], payload: [1])
        let group = RecordGroup(entries: [record])
        let wait = try #require(try answers.wait(for: group, of: .identity("a"), telling: .accepted))
        let notice = wait.makeNotice()
        #expect(notice.begin(group) == nil)
        let told = Told()
        answers.enter(wait) { told.note($0) }
        // The reader counts the record as finished from here on; the call is made once no lock is held.
        let finished = FinishedRecord(entry: 0, reader: ReaderID("out", of: log), outcomes: [.delivered: 1])
        let call = isDelivered ? notice.finish(finished) : nil
        answers.close()
        let stopping = IntakeAnswer.unavailable("the gateway is stopping", retryAfter: .seconds(1))
        #expect(told.all == (isDelivered ? [] : [stopping]))
        call?()
        #expect(told.all == [isDelivered ? .accepted : stopping])
    }
}

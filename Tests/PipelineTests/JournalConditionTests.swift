import Basics
import Journal
import Pipeline
import TestKit
import Testing

@Suite struct JournalConditionTests {
    private let clock = ManualClock()
    private let condition: JournalCondition

    init() {
        condition = JournalCondition(clock: MonotonicClock(clock))
    }

    @Test func `it is well until a request is refused`() {
        #expect(condition.reason == nil)
        condition.note([.durable])
        #expect(condition.reason == nil)
    }

    @Test func `a refusal is a reason until a request gets in`() {
        condition.note([.full(retryAfter: .seconds(3))])
        #expect(condition.reason == "the journal is full")
        condition.note([.failed("write: EIO")])
        #expect(condition.reason == "the journal cannot be written: write: EIO")
        condition.note([])
        #expect(condition.reason != nil)
        condition.note([.full(retryAfter: .seconds(3)), .durable])
        #expect(condition.reason == nil)
    }

    @Test func `a reason is logged once a minute`() async throws {
        let log = LogLines()
        let condition = JournalCondition(clock: MonotonicClock(clock), logger: log.logger)
        for _ in 0..<3 { condition.note([.full(retryAfter: .seconds(3))]) }
        condition.note([.failed("write: EIO")])
        #expect(log.values(of: "reason") == ["the journal is full", "the journal cannot be written: write: EIO"])
        try await clock.sleep(for: .seconds(61))
        condition.note([.failed("write: EIO")])
        #expect(log.all.count == 3)
    }

    @Test func `a request that is too large says nothing about others`() {
        condition.note([.tooLarge("a record is larger than 1GiB")])
        #expect(condition.reason == nil)
        condition.note([.full(retryAfter: .seconds(5)), .tooLarge("a record is larger than 1GiB")])
        #expect(condition.reason == "the journal is full")
        condition.note([.tooLarge("a record is larger than 1GiB")])
        #expect(condition.reason == "the journal is full")
    }

    @Test func `a refusal without further requests is forgotten`() async throws {
        condition.note([.full(retryAfter: .seconds(3))])
        try await clock.sleep(for: .seconds(9))
        #expect(condition.reason == "the journal is full")
        try await clock.sleep(for: .seconds(1))
        #expect(condition.reason == nil)
    }
}

import Basics
import Testing

@testable import Journal

struct OutcomeCountsTests {
    @Test func `a cursor keeps which policies sampled out how much, and one without policies stays as it was`() throws {
        for policies in [0, 1, 3, 200] {
            var cursor = Cursor(since: UnixTime(nanoseconds: 5), startID: 0)
            for number in 0..<UInt64(policies) {
                var outcomes: OutcomeCounts = [.delivered: 1]
                outcomes.addSampledOut(number + 1, by: "policy \(number)")
                let start = number * 1000
                cursor.finish(start..<start + number + 2, as: outcomes)
            }
            let slot = try #require(CursorSnapshot(cursor: cursor, endID: 999_999).encoded(generation: 3))
            #expect(slot.span.bytes.uint32(at: 8) == (policies == 0 ? 1 : 2))
            guard case .valid(let read, 3) = CursorSnapshot.reading(slot) else {
                Issue.record("no valid slot")
                continue
            }
            #expect(read.cursor == cursor)
            #expect(read.cursor.totals.sampledOutBy.count == min(policies, OutcomeCounts.policiesMax))
            #expect(read.cursor.totals[.sampledOut] == UInt64(policies * (policies + 1) / 2))
            var damaged = slot
            damaged[slot.count - 6] ^= 1
            if case .valid = CursorSnapshot.reading(damaged) { Issue.record("damage was not seen") }
        }
    }

    @Test func `where a cursor has no room for names, it keeps how much was sampled out`() throws {
        var cursor = Cursor(since: UnixTime(nanoseconds: 5), startID: 0)
        for number in 0..<UInt64(CursorSlot.ordinary.rangesMax - 1) {
            var outcomes = OutcomeCounts()
            outcomes.addSampledOut(1, by: "\(number % 128)" + String(repeating: "p", count: 61))
            cursor.finish(number * 2 + 1..<number * 2 + 2, as: outcomes)
        }
        #expect(cursor.totals.sampledOutBy.count == 128)
        let slot = try #require(CursorSnapshot(cursor: cursor, endID: 999_999).encoded(generation: 3))
        guard case .valid(let read, 3) = CursorSnapshot.reading(slot) else {
            Issue.record("no valid slot")
            return
        }
        #expect(
            read.cursor.totals[.sampledOut] == cursor.totals[.sampledOut] && read.cursor.totals.sampledOutBy.isEmpty
        )
        #expect(read.cursor.finished == cursor.finished)
    }

    @Test func `what is cut down to fewer items names no more of them`() {
        var outcomes: OutcomeCounts = [.delivered: 2]
        outcomes.addSampledOut(3, by: "a")
        outcomes.addSampledOut(4, by: "b")
        let fitted = outcomes.fitted(to: 6)
        #expect(fitted[.sampledOut] == 4 && fitted.sampledOutBy == ["a": 3, "b": 1] && fitted.sum == 6)
        #expect(outcomes.fitted(to: 12).sampledOutBy == outcomes.sampledOutBy)
        #expect((outcomes + outcomes).sampledOutBy == ["a": 6, "b": 8])
    }
}

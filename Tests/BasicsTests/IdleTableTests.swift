import Basics
import Testing

@Suite struct IdleTableTests {
    private var table = IdleTable<String, Int>(countMax: 3, idleTime: .seconds(60))

    private func time(_ seconds: UInt64) -> UnixTime { UnixTime(nanoseconds: seconds * 1_000_000_000) }

    @Test mutating func `only what is idle makes room, and only where room is needed`() {
        for (value, key) in ["a", "b"].enumerated() { table.insert(value, for: key, at: time(100)) }
        #expect(table.makeRoom(at: time(1000)).isEmpty, "there is room")
        table.insert(2, for: "c", at: time(130))
        #expect(table.isFull)
        #expect(table.use("b", at: time(120)) == 1)
        #expect(table.makeRoom(at: time(159)).isEmpty)
        #expect(table.makeRoom(at: time(160)).map(\.key) == ["a"])
        #expect(table.use("a", at: time(160)) == nil)
        #expect(!table.isFull)
        table.insert(3, for: "d", at: time(160))
        #expect(table.makeRoom(at: time(179)).isEmpty)
        #expect(table.makeRoom(at: time(180)).map(\.value) == [1])
    }

    @Test mutating func `a clock that went back keeps nothing for ever`() {
        for key in ["a", "b", "c"] { table.insert(0, for: key, at: time(1_000_000)) }
        #expect(table.makeRoom(at: time(1_000_000)).isEmpty)
        #expect(table.makeRoom(at: time(100)).isEmpty)
        #expect(table.makeRoom(at: time(160)).count == 3)
    }
}

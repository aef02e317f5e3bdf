import Testing

@testable import TLS

/// When files that change are looked into: nothing here reads a file.
@Suite struct ReloadGateTests {
    private let old = TLSFiles(certificate: "old", key: "old")
    private let half = TLSFiles(certificate: "new", key: "old")
    private let new = TLSFiles(certificate: "new", key: "new")
    private let gone = TLSFiles(certificate: "new", key: nil)

    private func due(_ looks: [TLSFiles]) -> [Bool] {
        var gate = ReloadGate(serving: old)
        return looks.map { gate.isDue($0) }
    }

    @Test func `what does not change is never looked into`() {
        #expect(due([old, old, old]) == [false, false, false])
    }

    @Test func `a change is looked into once, when two looks in a row find it`() {
        #expect(due([new, new, new, new]) == [false, true, false, false])
    }

    @Test func `files that are replaced one after the other are taken together`() {
        #expect(due([old, half, new, new]) == [false, false, false, true])
    }

    @Test func `a change that stays halfway is looked into, and the rest of it later`() {
        #expect(due([half, half, half, new, new]) == [false, true, false, false, true])
    }

    @Test func `a file that vanishes is a change, and its return another one`() {
        #expect(due([gone, gone, gone, old, old, old]) == [false, true, false, false, true, false])
    }

    @Test func `a change that is undone before the second look was none`() {
        #expect(due([new, old, old, old]) == [false, false, false, false])
    }
}

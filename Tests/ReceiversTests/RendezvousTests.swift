import Testing

@testable import Receivers

@Suite struct RendezvousTests {
    private static func owners(_ members: Set<String>, _ count: Int) -> [[String]] {
        (0..<count).map { partition in
            members.filter { Rendezvous.partitions(of: $0, among: members, count: count).contains(partition) }
        }
    }

    @Test(arguments: [1, 2, 3, 7])
    func `every partition is of one member, and each has about as many`(count: Int) {
        let members = Set((0..<count).map { "member-\($0)" })
        let owners = Self.owners(members, 1024)
        #expect(owners.allSatisfy { $0.count == 1 })
        for member in members {
            let share = owners.count { $0 == [member] }
            #expect(share * count > 700 && share * count < 1400, "\(member) has \(share)")
        }
    }

    @Test func `a member that goes gives its own to the others, and nothing else moves`() {
        let members: Set = ["a", "b", "c", "d"]
        let (before, after) = (Self.owners(members, 256), Self.owners(members.subtracting(["b"]), 256))
        for (old, new) in zip(before, after) { #expect(old == new || old == ["b"]) }
    }

    @Test func `a member that is not listed yet has its part all the same`() {
        let listed = Rendezvous.partitions(of: "a", among: ["a", "b"], count: 64)
        #expect(Rendezvous.partitions(of: "a", among: ["b"], count: 64) == listed)
        #expect(Rendezvous.partitions(of: "a", among: [], count: 3) == [0, 1, 2])
    }
}

@Suite struct RecentIDsTests {
    @Test func `the latest ids are known, and each counts once`() {
        var recent = RecentIDs(max: 3)
        for id in ["a", "b", "a", "c", "d", "e"] { recent.insert(id) }
        let three = recent
        #expect(["a", "b", "c", "d", "e"].map { three.contains($0) } == [false, false, true, true, true])
        recent.insert("a")
        let next = recent
        #expect(["a", "c", "d", "e"].map { next.contains($0) } == [true, false, true, true])
    }
}

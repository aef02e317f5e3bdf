/// Who of some members serves a partition: the one with the highest score, so that a member that comes or goes moves only its own.
enum Rendezvous {
    /// The partitions that are `member`'s; it counts as one of the members whether it is listed or not.
    static func partitions(of member: String, among members: Set<String>, count: Int) -> Set<Int> {
        let members = members.union([member])
        return Set(
            (0..<count).filter { partition in
                members.max { (score($0, partition), $0) < (score($1, partition), $1) } == member
            }
        )
    }

    /// FNV-1a, 64 bits, of the member and the partition; then mixed, since its last bytes move few bits.
    private static func score(_ member: String, _ partition: Int) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in "\(member)/\(partition)".utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        hash = (hash ^ hash >> 30) &* 0xBF58_476D_1CE4_E5B9
        hash = (hash ^ hash >> 27) &* 0x94D0_49BB_1331_11EB
        return hash ^ hash >> 31
    }
}

/// Whether it is worth to keep what was worked out: as long as enough of what was kept is found again.
///
/// Without credit one is kept now and then all the same, in case that what comes is of another kind.
struct Credit {
    private let most: Int
    /// How many may be kept although none is found again.
    private var left: Int
    private var missed = 0
    /// How often what was kept was found again.
    private(set) var found = 0

    /// Misses between two tries.
    private static let missesMax = 64

    init(_ most: Int) {
        self.most = most
        left = most
    }

    var isGranted: Bool { left > 0 || missed % Self.missesMax == 0 }

    mutating func didFind() {
        found &+= 1
        left = most
    }

    mutating func didMiss() { missed &+= 1 }
    mutating func didKeep() { left -= 1 }
}

/// What records of an open trace say of the decision about it.
package struct TraceForesight: Sendable, Equatable {
    /// Whether a policy keeps it whatever is still to come, unless one drops it.
    package var keeps = false
    /// Whether one drops it.
    package var drops = false
    /// Whether its root is among them; one that a filter dropped is not, because another span takes its place.
    package var hasRoot = false

    package init(keeps: Bool = false, drops: Bool = false, hasRoot: Bool = false) {
        (self.keeps, self.drops, self.hasRoot) = (keeps, drops, hasRoot)
    }
}

/// What has to be there of a trace before it is certain that no policy drops it.
package enum DropCertainty: Sendable {
    /// Nothing: none drops.
    case always
    /// Its root.
    case withRoot
    /// All of it.
    case never
}

extension WindowWork {
    /// Whether it is what came of a trace after it was decided.
    var isLate: Bool {
        if case .decision(let decision) = self { decision.reason == .late } else { false }
    }
}

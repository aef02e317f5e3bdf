/// What a pipeline file says about routes before any request comes.
package struct Routing: Sendable, Equatable {
    /// Whether destinations create what a route names and they do not have.
    package var createsMissing: Bool
    /// Routes that the file names itself, whatever clients ask for.
    package var named: Set<Route>

    package init(createsMissing: Bool = true, named: Set<Route> = []) {
        self.createsMissing = createsMissing
        self.named = named
    }

    /// What several processors say: missing routes are created where all of them agree.
    package init(_ all: [Routing]) {
        self.init(
            createsMissing: all.allSatisfy(\.createsMissing),
            named: all.reduce(into: []) { $0.formUnion($1.named) }
        )
    }
}

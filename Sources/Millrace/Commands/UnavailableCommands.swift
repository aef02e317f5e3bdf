import ArgumentParser

/// Commands that the interface names and this version does not have: each says so and ends as wrong usage.
struct KeepCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "keep",
        abstract: "Not available in this version.",
        shouldDisplay: false
    )

    @Argument(parsing: .allUnrecognized) var arguments: [String] = []

    func validate() throws {
        throw ValidationError(
            "keep is not available in this version: what a policy dropped is gone, since tail_sample has no regret yet"
        )
    }
}

/// The same for runs of policies over what the journal holds.
struct BacktestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "backtest",
        abstract: "Not available in this version.",
        shouldDisplay: false
    )

    @Argument(parsing: .allUnrecognized) var arguments: [String] = []

    func validate() throws {
        throw ValidationError(
            "backtest is not available in this version: write the traces into \"tests\" of the pipeline file, and run millrace test"
        )
    }
}

import ArgumentParser
import Basics
import Configuration
import UnixSignals

/// `millrace top`: what the running process does, as it does it.
struct TopCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "top",
        abstract: "Show a live table of the running process: components, rates, backlog, errors.",
        discussion: "On a terminal, once a second until q is pressed; elsewhere one table, with the rates of a second."
    )

    @Option(help: "The pipeline file that the process was started with; without it, the built-in one.")
    var config: String?

    /// Between two looks.
    private static let interval = Duration.seconds(1)

    func run() async throws {
        let file = try PipelineFile.loadOrExit(config) { writeLine($0, to: .standardError) }
        var table = TopTable()
        do {
            table.add(try await file.topStatus())
            guard Output.standardOutput.isTerminal, let screen = Screen() else {
                try await Task.sleep(for: Self.interval)
                table.add(try await file.topStatus())
                return writeLine(table.lines(columns: .max).map(\.text).joined(separator: "\n"), to: .standardOutput)
            }
            defer { screen.close() }
            await Self.show(file, &table, on: screen)
        } catch {
            writeLine("\(error)", to: .standardError)
            throw ExitCode.failure
        }
    }

    /// Until a person ends it.
    private static func show(_ file: PipelineFile, _ table: inout TopTable, on screen: Screen) async {
        var trouble: String?
        for await event in events(of: screen, from: file) {
            switch event {
            case .end: return
            case .resized: break
            case .looked(.success(let status)):
                table.add(status)
                trouble = nil
            case .looked(.failure(let error)): trouble = "\(error)"
            }
            let (columns, rows) = screen.size
            let foot = trouble.map { TopTable.Line(text: "no answer, retrying: \($0.excerpt())", weight: .bad) }
            let lines = table.lines(columns: columns) + [TopTable.Line(text: "")]
            screen.draw(Array((lines + [foot ?? TopTable.Line(text: "q ends", weight: .faint)]).prefix(rows)))
        }
    }

    private enum Event: Sendable {
        case looked(Result<TopStatus, any Error>)
        case resized, end
    }

    /// What a person does, and what is seen of the process: one look at a time, so that a process that hangs holds up neither keys nor
    /// signals.
    private static func events(of screen: Screen, from file: PipelineFile) -> AsyncStream<Event> {
        AsyncStream { events in
            spawnThread(named: "millrace-keys") {
                // Ctrl-C is a byte like others while the screen is open.
                while let key = Screen.readKey() {
                    if key == UInt8(ascii: "q") || key == UInt8(ascii: "Q") || key == 3 { break }
                }
                events.yield(.end)
            }
            let looks = Task {
                while !Task.isCancelled {
                    do { events.yield(.looked(.success(try await file.topStatus()))) } catch {
                        events.yield(.looked(.failure(error)))
                    }
                    try await Task.sleep(for: interval)
                }
            }
            let signals = Task {
                for await signal in await UnixSignalsSequence(trapping: .sigterm, .sigint, .sighup, .sigwinch) {
                    events.yield(signal == .sigwinch ? .resized : .end)
                }
            }
            events.onTermination = { _ in
                looks.cancel()
                signals.cancel()
            }
        }
    }
}

extension PipelineFile {
    /// One look at the running process, which has five seconds for it.
    ///
    /// - Throws: `AdminFailure` where none runs or answers, or `JSONSyntaxError`.
    fileprivate func topStatus() async throws -> TopStatus {
        TopStatus(try JSONNode(parsing: Array(try await askRunning("GET", "/api/status", within: .seconds(5)).utf8)))
    }
}

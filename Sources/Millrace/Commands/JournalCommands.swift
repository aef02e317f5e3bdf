import ArgumentParser
import Basics
import Journal
import Pipeline

/// `millrace journal`: what lies in a journal's directory; only reads, also while a process uses it.
struct JournalCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "journal",
        abstract: "Look at the journal on disk, also while a process uses it.",
        subcommands: [Inspect.self, Verify.self]
    )

    struct Inspect: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Segments, records and cursors of every log.")

        @Argument(help: "The journal's directory.") var directory: String

        func run() throws {
            let inspection = try look { () throws(JournalError) in
                try JournalInspection.inspect(directory, parts: LogID.parts)
            }
            writeLine(inspection.report, to: .standardOutput)
        }
    }

    struct Verify: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Check every checksum and recount every account; exit 1 where something is damaged or missing."
        )

        @Argument(help: "The journal's directory.") var directory: String

        func run() throws {
            let inspection = try look { () throws(JournalError) in
                try JournalInspection.verify(directory, parts: LogID.parts)
            }
            writeLine(inspection.verdict, to: .standardOutput)
            if !inspection.problems.isEmpty { throw ExitCode.failure }
        }
    }
}

private func look(_ body: () throws(JournalError) -> JournalInspection) throws -> JournalInspection {
    do throws(JournalError) {
        return try body()
    } catch {
        writeLine("\(error)", to: .standardError)
        throw ExitCode.failure
    }
}

extension JournalInspection {
    /// Everything there is, and what is wrong with it.
    fileprivate var report: String {
        let logs = logs.map { log in
            let lines = log.segments.map(\.line) + log.cursors.map(\.line)
            return ([log.id.description] + lines.map { "  \($0)" }).joined(separator: "\n")
        }
        return (logs + findings.map(\.description)).joined(separator: "\n")
    }

    /// What is wrong, and a last line that sums up.
    fileprivate var verdict: String {
        let segments = logs.flatMap(\.segments)
        let records = segments.reduce(0) { $0 + $1.records }
        let counts = "\(logs.count) logs, \(segments.count) segments, \(records) records"
        let sum = problems.isEmpty ? "no damage" : "\(problems.count) problems"
        return (findings.map(\.description) + ["\(counts): \(sum)"]).joined(separator: "\n")
    }
}

extension InspectedSegment {
    fileprivate var line: String {
        let received = [firstReceivedAt, lastReceivedAt].compactMap { $0?.text }.joined(separator: " to ")
        return "segment \(number): ids \(firstID)..<\(endID), \(records) records, \(items) items, "
            + "\(ByteCount(bytes: bytes)), \(received.isEmpty ? "empty" : received)"
    }
}

extension InspectedCursor {
    fileprivate var line: String {
        guard isReadable else { return "cursor \(reader): cannot be read" }
        let state = isAbandoned ? ", abandoned" : ""
        return "cursor \(reader): at \(low), \(ranges.count) ranges above, accepted \(account.accepted), "
            + "delivered \(account.outcomes[.delivered]), queued \(account.queued)\(state)"
    }
}

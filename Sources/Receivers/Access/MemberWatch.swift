import Basics
import Logging
import Pipeline
import Synchronization

/// Reads files of members again while a receiver runs, on a thread of its own, every few seconds.
///
/// A file that is wrong counts as it was before, until it is mended, and the log says what is wrong; the other files count as they
/// are.
final class MemberWatch: Sendable {
    private struct State {
        /// As they were read last.
        var latest: [String: Result<[UInt8], FileReadError>] = [:]
        /// As they count.
        var valid: [String: Result<[UInt8], FileReadError>] = [:]
        var isStopped = false
    }

    /// Between two looks.
    static let interval = Duration.seconds(2)

    private let settings: AuthSettings
    private let authenticator: Authenticator
    private let receiver: String
    private let logger: Logger
    private let areValid = Atomic<Bool>(true)
    private let state = Mutex(State())
    private let stop = ThreadSignal()

    /// Takes the members in; blocks for their files.
    init(_ settings: AuthSettings, for authenticator: Authenticator, receiver: String, meters: Meters, logger: Logger) {
        self.settings = settings
        self.authenticator = authenticator
        self.receiver = receiver
        self.logger = logger
        look(isFirst: true)
        guard !settings.files.isEmpty else { return }
        meters.gauge("millrace_receiver_member_files_valid", ["receiver": receiver]) { [weak self] in
            self?.areValid.load(ordering: .relaxed) == false ? 0 : 1
        }
    }

    /// Begins to look every few seconds.
    func start() {
        guard !settings.files.isEmpty else { return }
        spawnThread(named: "millrace-members") { [self] in
            while !stop.wait(for: Self.interval) { look() }
        }
    }

    /// Ends the thread, soon.
    func close() {
        stop.signal()
    }

    /// Takes in what has changed; blocks for the files.
    func look(isFirst: Bool = false) {
        var read: [String: Result<[UInt8], FileReadError>] = [:]
        for file in settings.files {
            read[file] = Result { () throws(FileReadError) in try readFile(file, max: MemberList.fileMax) }
        }
        state.withLock { state in
            guard isFirst || read != state.latest else { return }
            state.latest = read
            take(read, &state, isFirst: isFirst)
        }
    }

    private func take(_ read: [String: Result<[UInt8], FileReadError>], _ state: inout State, isFirst: Bool) {
        let list = MemberList(settings) { file in read[file] ?? .success([]) }
        for problem in list.problems {
            logger.error(
                "members stay as they were, because a file of them is wrong",
                metadata: ["receiver": "\(receiver)", "problem": "\(problem.message)"]
            )
        }
        areValid.store(list.problems.isEmpty, ordering: .relaxed)
        var used = read
        for file in list.problems.compactMap(\.file) { used[file] = state.valid[file] ?? .success([]) }
        let members = list.problems.isEmpty ? list : MemberList(settings) { file in used[file] ?? .success([]) }
        guard members.problems.isEmpty || isFirst else { return }
        state.valid = used
        authenticator.replace(members.members)
        guard !isFirst, list.problems.isEmpty else { return }
        logger.info(
            "members are read again",
            metadata: ["receiver": "\(receiver)", "members": "\(members.members.count)"]
        )
    }
}

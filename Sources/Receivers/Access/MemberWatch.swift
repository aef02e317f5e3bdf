import Basics
import Logging
import Pipeline
import Synchronization

/// Reads files of members again while a receiver runs, on a thread of its own, every few seconds.
///
/// A file that is wrong counts as it was before, until it is mended, and the log says what is wrong; the other files count as they
/// are. An entry that is at odds with an earlier one stays out by itself, so that nothing keeps a member in that was taken out.
final class MemberWatch: Sendable {
    private typealias Content = Result<[UInt8], FileReadError>

    private struct State {
        /// As they were read last.
        var latest: [String: Content] = [:]
        /// As two looks in a row found them.
        var settled: [String: Content] = [:]
        /// As they count.
        var valid: [String: Content] = [:]
        /// Members that count.
        var count = 0
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

    /// Takes in what has changed and was found the same twice, so that nobody is in the middle of writing it; blocks for the files.
    func look(isFirst: Bool = false) {
        var read: [String: Content] = [:]
        for file in settings.files {
            read[file] = Result { () throws(FileReadError) in try readFile(file, max: MemberList.fileMax) }
        }
        state.withLock { state in
            let steady = read.filter { isFirst || $0.value == state.latest[$0.key] }
            state.latest = read
            let settled = state.settled.merging(steady) { _, new in new }
            guard isFirst || settled != state.settled else { return }
            state.settled = settled
            take(settled, &state)
            if !isFirst, areValid.load(ordering: .relaxed) {
                logger.info(
                    "members are read again",
                    metadata: ["receiver": "\(receiver)", "members": "\(state.count)"]
                )
            }
        }
    }

    private func take(_ read: [String: Content], _ state: inout State) {
        let list = MemberList(settings) { file in read[file] ?? .success([]) }
        areValid.store(list.problems.isEmpty, ordering: .relaxed)
        var used = read
        for problem in list.problems where !problem.isConflict {
            log("members stay as they were, because a file of them is wrong", problem)
            if let file = problem.file { used[file] = state.valid[file] ?? .success([]) }
        }
        let members = used == read ? list : MemberList(settings) { file in used[file] ?? .success([]) }
        for problem in members.problems { log("a member stays out, because it is at odds with another", problem) }
        state.valid = used
        state.count = members.members.count
        authenticator.replace(members.members)
    }

    private func log(_ what: Logger.Message, _ problem: MemberProblem) {
        logger.error(what, metadata: ["receiver": "\(receiver)", "problem": "\(problem.message)"])
    }
}

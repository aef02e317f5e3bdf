import Basics
import Logging
import Pipeline
import Synchronization

/// Reads files of members, and files that give secrets of members, again while a receiver runs, on a thread of its own, every few
/// seconds.
///
/// A file that is wrong, or has no member, counts as it was before, until it is mended, and the log says what is wrong; the other
/// files count as they are. An entry that is at odds with an earlier one stays out by itself, so that nothing keeps a member in that
/// was taken out.
final class MemberWatch: Sendable {
    private typealias Content = Result<[UInt8], FileReadError>

    private enum Source: Hashable {
        /// A file of members, by its path.
        case file(String)
        /// A secret of the pipeline file that a file gives, by the place of its member.
        case secret(String)

        var name: String {
            switch self {
            case .file(let name), .secret(let name): name
            }
        }
    }

    private struct State {
        /// As they were read last.
        var latest: [Source: Content] = [:]
        /// As two looks in a row found them.
        var settled: [Source: Content] = [:]
        /// As they count.
        var valid: [Source: Content] = [:]
        /// Looks in a row that found something else than the look before.
        var restless: [Source: Int] = [:]
        /// Those that count.
        var members: [Member] = []
    }

    /// Between two looks.
    static let interval = Duration.seconds(2)
    /// Looks in a row that find something else each time, until that is said: those of a minute.
    static let restlessMax = 30

    private let settings: AuthSettings
    /// Those that can be read again, by the places of their members.
    private let secrets: [String: Secret]
    private let authenticator: Authenticator
    private let receiver: String
    private let meters: Meters
    private let logger: Logger
    private let areValid = Atomic<Bool>(true)
    private let state = Mutex(State())
    private let stop = ThreadSignal()

    /// Takes the members in; blocks for their files.
    ///
    /// What it shows in metrics it shows from now on, or from `start` where it `showsLater`.
    init(
        _ settings: AuthSettings,
        for authenticator: Authenticator,
        receiver: String,
        meters: Meters,
        logger: Logger,
        showsLater: Bool = false
    ) {
        self.settings = settings
        self.authenticator = authenticator
        self.receiver = receiver
        self.meters = meters
        self.logger = logger
        // What gives its content once only, such as a pipe, is not looked at again.
        secrets = settings.fileSecrets.filter { $0.value.reread() != nil }
        look(isFirst: true)
        if !showsLater { show() }
    }

    private var hasFiles: Bool { !settings.files.isEmpty || !secrets.isEmpty }

    /// Begins to look every few seconds.
    func start() {
        guard hasFiles else { return }
        show()
        spawnThread(named: "millrace-members") { [self] in
            while !stop.wait(for: Self.interval) { look() }
        }
    }

    private func show() {
        guard hasFiles else { return }
        meters.gauge("millrace_receiver_member_files_valid", ["receiver": receiver]) { [weak self] in
            self?.areValid.load(ordering: .relaxed) == false ? 0 : 1
        }
    }

    /// Ends the thread, soon.
    func close() {
        stop.signal()
    }

    /// Takes in what has changed and was found the same twice, so that nobody is in the middle of writing it; blocks for the files.
    func look(isFirst: Bool = false) {
        let read = read(isFirst: isFirst)
        state.withLock { state in
            let steady = read.filter { isFirst || $0.value == state.latest[$0.key] }
            state.latest = read
            noteRestless(read.keys.filter { steady[$0] == nil }, &state)
            let settled = state.settled.merging(steady) { _, new in new }
            guard isFirst || settled != state.settled else { return }
            state.settled = settled
            take(settled, isFirst: isFirst, &state)
            if !isFirst, areValid.load(ordering: .relaxed) {
                logger.info(
                    "members are read again",
                    metadata: ["receiver": "\(receiver)", "members": "\(state.members.count)"]
                )
            }
        }
    }

    private func read(isFirst: Bool) -> [Source: Content] {
        var read: [Source: Content] = [:]
        for file in settings.files {
            read[.file(file)] = Result { () throws(FileReadError) in
                try checkRegularFile(file)
                return try readFile(file, max: MemberList.fileMax)
            }
        }
        for (place, secret) in secrets {
            let text = isFirst ? secret.text : secret.reread()?.text
            let reason = "the file of its secret cannot be read, is empty, or has what cannot be sent"
            read[.secret(place)] = text.map { .success(Array($0.utf8)) } ?? .failure(FileReadError(reason: reason))
        }
        return read
    }

    private func noteRestless(_ sources: [Source], _ state: inout State) {
        state.restless = Dictionary(uniqueKeysWithValues: sources.map { ($0, (state.restless[$0] ?? 0) + 1) })
        for source in sources where state.restless[source] == Self.restlessMax {
            logger.warning(
                "members stay as they were, because every look finds something else in a file of them",
                metadata: ["receiver": "\(receiver)", "file": "\(source.name)"]
            )
        }
    }

    private func take(_ read: [Source: Content], isFirst: Bool, _ state: inout State) {
        let stays: Logger.Message = "members stay as they were, because a file of them is wrong"
        var used = read
        for place in secrets.keys.sorted() {
            guard case .failure(let error) = read[.secret(place)] else { continue }
            log(stays, "\(place): \(error.reason)")
            used[.secret(place)] = state.valid[.secret(place)]
        }
        let list = list(used)
        var wrong = list.problems.filter { !$0.isConflict }
        // At the start it was told before.
        if !isFirst {
            wrong += list.emptyFiles.map { $0.saying("no member; the earlier ones stay until there is one") }
        }
        let isValid = used == read && list.problems.isEmpty && list.emptyFiles.isEmpty
        areValid.store(isValid, ordering: .relaxed)
        for problem in wrong {
            log(stays, problem.message)
            if let file = problem.file { used[.file(file)] = state.valid[.file(file)] ?? .success([]) }
        }
        let members = wrong.isEmpty ? list : self.list(used)
        for problem in members.problems {
            log("a member stays out, because it is at odds with another", problem.message)
        }
        if !isFirst { warnOfShortSecrets(members, besides: state.members) }
        state.valid = used
        state.members = members.members
        authenticator.replace(members.members)
    }

    private func list(_ contents: [Source: Content]) -> MemberList {
        var texts: [String: String] = [:]
        for (source, content) in contents {
            guard case .secret(let place) = source, case .success(let bytes) = content else { continue }
            texts[place] = String(decoding: bytes, as: UTF8.self)
        }
        return MemberList(settings.replacing(texts)) { file in contents[.file(file)] ?? .success([]) }
    }

    private func warnOfShortSecrets(_ list: MemberList, besides earlier: [Member]) {
        for warning in list.warnings(besides: earlier) {
            logger.warning(
                "a member's secret is short",
                metadata: ["receiver": "\(receiver)", "problem": "\(warning.message)"]
            )
        }
    }

    private func log(_ what: Logger.Message, _ problem: String) {
        logger.error(what, metadata: ["receiver": "\(receiver)", "problem": "\(problem)"])
    }
}

package import Basics
package import Pipeline
package import Settings

/// Somebody who may send.
struct Member: Sendable {
    /// Bytes of a secret that nobody finds by trying.
    static let safeSecretBytes = 20

    let identity: Identity
    let scheme: AuthScheme
    let secret: String

    /// Whether its secret may be found by trying.
    var isGuessable: Bool { secret.utf8.count < Self.safeSecretBytes }
    /// What no other member of its scheme may have.
    fileprivate var key: [ExactText] {
        (scheme == .bearer ? [secret] : [identity.name, secret]).map(ExactText.init)
    }
}

/// Something wrong with a member, and where it stands.
package struct MemberProblem: Equatable, Sendable {
    let scheme: AuthScheme
    /// Its entry under the scheme.
    let entry: Int
    /// The file that it is in, with the line where the line is to blame; nil for a member of the pipeline file.
    package let file: String?
    let line: Int?
    /// What is wrong and what is allowed; holds no secret.
    private(set) var reason: String
    /// Whether the entry is only at odds with an earlier one: then it alone does not count.
    var isConflict = false

    /// `FILE:LINE: REASON`, without what is not known.
    package var message: String {
        let place = [file, line.map(String.init)].compactMap { $0 }.joined(separator: ":")
        return place.isEmpty ? reason : "\(place): \(reason)"
    }

    /// The same place with other words.
    func saying(_ reason: String) -> MemberProblem {
        var problem = self
        problem.reason = reason
        return problem
    }
}

/// The members of `auth`, those in files among them, and what is wrong with them.
///
/// A name may stand twice under a scheme, so that an old and a new secret are taken while clients change from one to the other.
package struct MemberList: Sendable {
    fileprivate struct Place {
        let scheme: AuthScheme
        let entry: Int
        var file: String?
        var line: Int?

        var text: String { file.map { "\($0):\(line ?? 1)" } ?? scheme.place(of: entry) }
    }

    /// Bytes of one file, at most.
    package static let fileMax = ByteCount.mebibytes(1)
    /// What some editors put before UTF-8 text.
    private static let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
    /// Problems of one list that are told, at most.
    private static let problemsMax = 20
    /// Secrets that a name may have under one scheme.
    private static let secretsMax = 2

    private(set) var members: [Member] = []
    /// In the order of the members.
    package private(set) var problems: [MemberProblem] = []
    /// Files that hold no member.
    private(set) var emptyFiles: [MemberProblem] = []
    private var places: [Place] = []
    private var bySecret: [[ExactText]: Int] = [:]
    private var byName: [ExactText: [Int]] = [:]

    /// - Parameters:
    ///   - settings: Names the files.
    ///   - read: Gives the content of a file.
    package init(_ settings: AuthSettings, read: (String) -> Result<[UInt8], FileReadError>) {
        for scheme in AuthScheme.allCases {
            for (entry, member) in settings[scheme].enumerated() {
                let place = Place(scheme: scheme, entry: entry, file: member.file)
                if let file = member.file {
                    add(read(file), at: place)
                } else if let name = member.name, let secret = member.secret?.text {
                    add(name, secret, member.experiments, at: place)
                }
            }
        }
    }

    private mutating func add(_ content: Result<[UInt8], FileReadError>, at place: Place) {
        let bytes: [UInt8]
        do throws(FileReadError) {
            bytes = try content.get()
        } catch {
            return report("cannot be read: \(error.reason)", at: place)
        }
        guard bytes.count <= Self.fileMax.bytes else { return report("is larger than \(Self.fileMax)", at: place) }
        guard bytes.span.bytes.isValidUTF8 else { return report("is not UTF-8 text", at: place) }
        let text = bytes.starts(with: Self.byteOrderMark) ? bytes.dropFirst(Self.byteOrderMark.count) : bytes[...]
        let lines = text.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        var hasEntries = false
        for (number, line) in lines.enumerated() {
            let line = String(decoding: line, as: UTF8.self).drop { $0.isWhitespace }
            guard !line.isEmpty, !line.hasPrefix("#") else { continue }
            hasEntries = true
            var place = place
            place.line = number + 1
            add(line: line, at: place)
        }
        if !hasEntries { emptyFiles.append(MemberProblem("no member", at: place)) }
    }

    private mutating func add(line: Substring, at place: Place) {
        let scheme = place.scheme
        let words = line.split(maxSplits: 2, whereSeparator: \.isWhitespace)
        guard words.count >= 2 else {
            return report("a name without a \(scheme.secretName); allowed: \(scheme.line)", at: place)
        }
        guard scheme.takes(name: words[0]) else {
            return report("the name cannot be used; allowed: \(scheme.names)", at: place)
        }
        guard scheme.takes(secret: words[1]) else {
            return report(
                "the \(scheme.secretName) has characters that cannot be sent; allowed: visible ASCII",
                at: place
            )
        }
        // What follows it is the secret, which would be taken for the name of an experiment, and be printed.
        guard !["bearer", "basic"].contains(words[1].lowercased()) else {
            let reason = "\(quoted(String(words[1]))) stands where the \(scheme.secretName) belongs"
            return report("\(reason); allowed: \(scheme.line)", at: place)
        }
        guard !words[1].hasPrefix("#"), words.count < 3 || !words[2].hasWordAfterHash else {
            return report("\"#\" begins a comment at the start of a line alone; allowed: \(scheme.line)", at: place)
        }
        var experiments: [String]?
        if words.count > 2, words[2].contains(where: { !$0.isWhitespace }) {
            let listed = words[2].split(separator: ",", omittingEmptySubsequences: false).map(\.withoutOuterSpace)
            guard listed.allSatisfy({ !$0.isEmpty }) else {
                return report("an empty name among the experiments; allowed: \(scheme.line)", at: place)
            }
            experiments = listed
        }
        add(String(words[0]), String(words[1]), experiments, at: place)
    }

    private mutating func add(_ name: String, _ secret: String, _ experiments: [String]?, at place: Place) {
        let identity = Identity(name, experiments: experiments.map(ExperimentList.init))
        let (scheme, what) = (place.scheme, place.scheme.secretName)
        let member = Member(identity: identity, scheme: scheme, secret: secret)
        let key = member.key
        if let other = bySecret[key] {
            let own = "each member needs a \(what) of its own"
            return report("its \(what) stands at \(places[other].text) already; \(own)", at: place, isConflict: true)
        }
        let others = byName[ExactText(name)] ?? []
        if let other = others.first(where: { members[$0].identity != identity }) {
            let both = "the same experiments at both places, or another name"
            let reason = "\(quoted(name)) has other experiments at \(places[other].text); allowed: \(both)"
            return report(reason, at: place, isConflict: true)
        }
        let same = others.filter { members[$0].scheme == scheme }
        if same.count >= Self.secretsMax {
            let stands = same.map { places[$0].text }.joined(separator: " and ")
            let two = "two, an old and a new one"
            let reason = "\(quoted(name)) has a \(what) at \(stands) already; allowed: \(two)"
            return report(reason, at: place, isConflict: true)
        }
        bySecret[key] = members.count
        byName[ExactText(name), default: []].append(members.count)
        members.append(member)
        places.append(place)
    }

    /// What is allowed and unwise of the members that are none of `earlier`, once for each entry of the settings.
    func warnings(besides earlier: [Member] = []) -> [MemberProblem] {
        let known = Set(earlier.map { [ExactText($0.scheme.rawValue)] + $0.key })
        var warnings: [MemberProblem] = []
        for (member, place) in zip(members, places) where member.isGuessable {
            guard !known.contains([ExactText(member.scheme.rawValue)] + member.key),
                warnings.last.map({ ($0.scheme, $0.entry) != (place.scheme, place.entry) }) ?? true
            else { continue }
            let what = "the \(place.scheme.secretName) has fewer than \(Member.safeSecretBytes) bytes"
            let effect = "whoever guesses from the same address can delay its member"
            warnings.append(MemberProblem("\(what), and may be guessed; \(effect)", at: place))
        }
        return warnings
    }

    /// More of them than are told still count: what is only at odds with others is not said to be wrong by itself.
    private mutating func report(_ reason: String, at place: Place, isConflict: Bool = false) {
        let isTold = problems.count < Self.problemsMax
        let isNews = !isConflict && !problems.contains { $0.file == place.file && !$0.isConflict }
        if isTold || isNews { problems.append(MemberProblem(reason, at: place, isConflict: isConflict)) }
    }
}

extension MemberProblem {
    fileprivate init(_ reason: String, at place: MemberList.Place, isConflict: Bool = false) {
        self.init(
            scheme: place.scheme,
            entry: place.entry,
            file: place.file,
            line: place.line,
            reason: reason,
            isConflict: isConflict
        )
    }
}

extension MemberList {
    /// Reports every problem at its entry of `auth`, whose settings `group` has.
    package func report(in group: Group, _ context: inout DecodeContext) {
        report(problems, in: group, &context)
    }

    /// Warns of what is unwise, at its entry of `auth`, whose settings `group` has; files without members are an error where
    /// there is no member at all.
    package func warn(in group: Group, _ context: inout DecodeContext) {
        report(warnings(), as: .warning, in: group, &context)
        // A receiver without any member answers nobody, as one whose `auth` has no entries.
        guard members.isEmpty, problems.isEmpty else {
            return report(emptyFiles, as: .warning, in: group, &context)
        }
        report(emptyFiles.map { $0.saying("no member; at least one is needed") }, in: group, &context)
    }

    private func report(
        _ problems: [MemberProblem],
        as severity: Problem.Severity = .error,
        in group: Group,
        _ context: inout DecodeContext
    ) {
        for problem in problems {
            guard let entry = group[problem.scheme.rawValue]?.elements?[problem.entry] else { continue }
            context.within(problem.scheme.rawValue, "\(problem.entry)") { context in
                let place = problem.file == nil ? entry : entry["file"] ?? entry
                context.report(problem.message, at: place.offset, as: severity)
            }
        }
    }
}

extension MemberList {
    /// The member of that name, byte for byte; nil for none.
    package func identity(named name: String) -> Identity? {
        byName[ExactText(name)]?.first.map { members[$0].identity }
    }

    /// The names of the members, each once, in their order.
    package var names: [String] {
        members.indices.filter { byName[ExactText(members[$0].identity.name)]?.first == $0 }.map {
            members[$0].identity.name
        }
    }
}

extension Substring {
    /// Whether one of its words, or of the names between its commas, begins with `#`.
    fileprivate var hasWordAfterHash: Bool {
        split { $0.isWhitespace || $0 == "," }.contains { $0.hasPrefix("#") }
    }

    fileprivate var withoutOuterSpace: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}

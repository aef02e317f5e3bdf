package import Basics
import Pipeline
package import Settings

/// Somebody who may send.
struct Member: Sendable {
    let identity: Identity
    let scheme: AuthScheme
    let secret: String
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
    let reason: String

    /// `FILE:LINE: REASON`, without what is not known.
    package var message: String {
        let place = [file, line.map(String.init)].compactMap { $0 }.joined(separator: ":")
        return place.isEmpty ? reason : "\(place): \(reason)"
    }
}

/// The members of `auth`, those in files among them, and what is wrong with them.
///
/// A name may stand twice under a scheme, so that an old and a new secret are taken while clients change from one to the other.
package struct MemberList: Sendable {
    private struct Place {
        let scheme: AuthScheme
        let entry: Int
        var file: String?
        var line: Int?

        var text: String { file.map { "\($0):\(line ?? 1)" } ?? "/\(scheme)/\(entry)" }
    }

    /// Bytes of one file, at most.
    package static let fileMax = ByteCount.mebibytes(1)
    /// Problems of one list that are told, at most.
    private static let problemsMax = 20
    /// Secrets that a name may have under one scheme.
    private static let secretsMax = 2

    private(set) var members: [Member] = []
    /// In the order of the members.
    package private(set) var problems: [MemberProblem] = []
    private var places: [Place] = []
    private var bySecret: [[String]: Int] = [:]
    private var byName: [String: [Int]] = [:]

    /// - Parameters:
    ///   - settings: Names the files.
    ///   - read: Gives the content of a file.
    package init(_ settings: AuthSettings, read: (String) -> Result<[UInt8], FileReadError>) {
        for scheme in AuthScheme.allCases {
            for (entry, member) in settings[scheme].enumerated() {
                let place = Place(scheme: scheme, entry: entry, file: member.file)
                if let file = member.file {
                    add(read(file), at: place)
                } else if let name = member.name, let secret = member.secret {
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
        let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for (number, line) in lines.enumerated() {
            var place = place
            place.line = number + 1
            add(line: String(decoding: line, as: UTF8.self), at: place)
        }
    }

    private mutating func add(line: String, at place: Place) {
        let scheme = place.scheme
        let line = line.drop { $0.isWhitespace }
        guard !line.isEmpty, !line.hasPrefix("#") else { return }
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
        let key = scheme == .bearer ? [secret] : [name, secret]
        if let other = bySecret[key] {
            let own = "each member needs a \(what) of its own"
            return report("its \(what) stands at \(places[other].text) already; \(own)", at: place)
        }
        let others = byName[name] ?? []
        if let other = others.first(where: { members[$0].identity != identity }) {
            let both = "the same experiments at both places, or another name"
            return report("\(quoted(name)) has other experiments at \(places[other].text); allowed: \(both)", at: place)
        }
        let same = others.filter { members[$0].scheme == scheme }
        if same.count >= Self.secretsMax {
            let stands = same.map { places[$0].text }.joined(separator: " and ")
            let two = "two, an old and a new one"
            return report("\(quoted(name)) has a \(what) at \(stands) already; allowed: \(two)", at: place)
        }
        bySecret[key] = members.count
        byName[name, default: []].append(members.count)
        members.append(Member(identity: identity, scheme: scheme, secret: secret))
        places.append(place)
    }

    private mutating func report(_ reason: String, at place: Place) {
        guard problems.count < Self.problemsMax else { return }
        problems.append(
            MemberProblem(
                scheme: place.scheme,
                entry: place.entry,
                file: place.file,
                line: place.line,
                reason: reason
            )
        )
    }
}

extension MemberList {
    /// Reports every problem at its entry of `auth`, whose settings `group` has.
    package func report(in group: Group, _ context: inout DecodeContext) {
        for problem in problems {
            guard let entry = group[problem.scheme.rawValue]?.elements?[problem.entry] else { continue }
            context.within(problem.scheme.rawValue, "\(problem.entry)") { context in
                context.report(problem.message, at: (problem.file == nil ? entry : entry["file"] ?? entry).offset)
            }
        }
    }
}

extension Substring {
    fileprivate var withoutOuterSpace: String {
        String(drop { $0.isWhitespace }.reversed().drop { $0.isWhitespace }.reversed())
    }
}

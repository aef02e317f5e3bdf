import Basics
import Pipeline
import Testing

@testable import Receivers

@Suite struct `Files of members` {
    /// The members of a file, or what is wrong with it.
    private func list(_ text: String, _ scheme: AuthScheme = .bearer, others: [MemberSettings] = []) -> MemberList {
        var settings = AuthSettings()
        let entries = others + [MemberSettings(file: "members")]
        if scheme == .bearer { settings.bearer = entries } else { settings.basic = entries }
        return MemberList(settings) { _ in .success(Array(text.utf8)) }
    }

    @Test func `have one member a line, with comments and empty lines between`() {
        let text = "# who may send\n\nann token-a\r\n  bob\ttoken-b  team b, 7 ,checkout-*  \n # no more\ncat t#c"
        let members = list(text).members
        #expect(list(text).problems.isEmpty)
        #expect(members.map(\.identity.name) == ["ann", "bob", "cat"])
        #expect(members.map(\.secret) == ["token-a", "token-b", "t#c"])
        #expect(members.map(\.identity.experiments?.entries) == [nil, ["team b", "7", "checkout-*"], nil])
    }

    @Test(arguments: [
        ("ann", "members:1: a name without a token; allowed: NAME TOKEN [experiment,…]"),
        ("# c\nann a,\u{FC}ber", "members:2: the token has characters that cannot be sent; allowed: visible ASCII"),
        ("ann bearer t", "members:1: \"bearer\" stands where the token belongs; allowed: NAME TOKEN [experiment,…]"),
        (
            "ann a\nbob Basic Ym9iOnA6dw==",
            "members:2: \"Basic\" stands where the token belongs; allowed: NAME TOKEN [experiment,…]"
        ),
        ("ann t a,,b", "members:1: an empty name among the experiments; allowed: NAME TOKEN [experiment,…]"),
        (
            "\(String(repeating: "n", count: 129)) t",
            "members:1: the name cannot be used; allowed: a word of at most 128 bytes"
        ),
        (
            "ann t # who",
            "members:1: \"#\" begins a comment at the start of a line alone; allowed: NAME TOKEN [experiment,…]"
        ),
        (
            "ann t team-a, #b",
            "members:1: \"#\" begins a comment at the start of a line alone; allowed: NAME TOKEN [experiment,…]"
        ),
        (
            "\nann #t",
            "members:2: \"#\" begins a comment at the start of a line alone; allowed: NAME TOKEN [experiment,…]"
        ),
        (
            "ann same\nbob same",
            "members:2: its token stands at members:1 already; each member needs a token of its own"
        ),
        (
            "ann a\nann b x",
            "members:2: \"ann\" has other experiments at members:1; allowed: the same experiments at both places, or another name"
        ),
        (
            "ann a\nann b\nann c",
            "members:3: \"ann\" has a token at members:1 and members:2 already; allowed: two, an old and a new one"
        ),
    ])
    func `are refused with line and what is allowed`(text: String, problem: String) {
        #expect(list(text).problems.map(\.message) == [problem])
    }

    @Test func `may begin with what editors put there`() {
        #expect(list("\u{FEFF}ann t").members.map(\.identity.name) == ["ann"])
        #expect(list("\u{FEFF}# c\nann t c#").members.map(\.identity.experiments?.entries) == [["c#"]])
    }

    @Test func `are warned of once where secrets can be guessed`() {
        let long = String(repeating: "x", count: Member.safeSecretBytes)
        let warning =
            "members:2: the token has fewer than 20 bytes, and may be guessed; "
            + "whoever guesses from the same address can delay its member"
        #expect(list("ann \(long)\nbob \(long.dropLast())\ncat c").warnings().map(\.message) == [warning])
        #expect(list("ann \(long)\ncat \(long)x").warnings().isEmpty)
    }

    @Test func `tell names of different bytes apart`() {
        let both = list("caf\u{E9} a team-a\ncafe\u{301} b")
        #expect(both.problems.isEmpty)
        #expect(both.identity(named: "caf\u{E9}")?.experiments?.entries == ["team-a"])
        #expect(both.identity(named: "cafe\u{301}").map { $0.experiments == nil } == true)
    }

    @Test func `that cannot be used at all are named`() {
        var settings = AuthSettings()
        settings.basic = [MemberSettings(file: "gone")]
        let gone = MemberList(settings) { _ in .failure(FileReadError(reason: "no such file")) }
        #expect(gone.problems.map(\.message) == ["gone: cannot be read: no such file"])
        let noText = MemberList(settings) { _ in .success([0xFF]) }
        #expect(noText.problems.map(\.message) == ["gone: is not UTF-8 text"])
        let large = MemberList(settings) { _ in .success([UInt8](repeating: 0x23, count: 1_048_577)) }
        #expect(large.problems.map(\.message) == ["gone: is larger than 1MiB"])
    }

    @Test func `share names and secrets with the pipeline file`() {
        let own = MemberSettings(name: "ann", secret: "t")
        #expect(
            list("bob t", others: [own]).problems.map(\.message) == [
                "members:1: its token stands at /bearer/0 already; each member needs a token of its own"
            ]
        )
        #expect(list("ann new", others: [own]).problems.isEmpty)
        // Passwords may be the same for two users.
        #expect(list("ann t\nbob t", .basic).problems.isEmpty)
        #expect(list("ann:x t", .basic).problems.count == 1)
    }
}

@Suite struct `What a client shows` {
    private let table = MemberTable(
        key: HMAC.randomKey(),
        [
            Member(identity: Identity("ann"), scheme: .bearer, secret: "token-a"),
            Member(identity: Identity("bob"), scheme: .basic, secret: "p:w"),
        ]
    )

    private func identity(_ authorization: String) -> String? {
        guard let credential = Credential(authorization: authorization), let digest = table.digest(of: credential)
        else { return nil }
        return table.identity(of: digest)?.name
    }

    @Test(
        arguments: [
            ("Bearer token-a", "ann"), ("bearer  token-a ", "ann"), ("BEARER token-a", "ann"),
            ("Basic Ym9iOnA6dw==", "bob"), ("basic Ym9iOnA6dw", "bob"), ("Bearer token-b", nil), ("Bearer token-", nil),
            ("Bearer token-a2", nil), ("Bearer", nil), ("Bearer ", nil), ("token-a", nil), ("Digest token-a", nil),
            ("Basic token-a", nil), ("Bearer p:w", nil), ("Bearer token-a token-a", nil), ("", nil),
            ("Basic OnRva2VuLWE=", nil),
        ] as [(String, String?)]
    )
    func `is looked up by scheme and secret`(authorization: String, name: String?) {
        #expect(identity(authorization) == name)
    }

    @Test func `is forgotten with its member, and known to have been right`() throws {
        let digest = try #require(table.digest(of: Credential(.bearer, "ann", "token-a")))
        let next = table.replacing([Member(identity: Identity("ann"), scheme: .bearer, secret: "new")])
        #expect(table.identity(of: digest) == Identity("ann") && !table.wasValid(digest))
        #expect(next.identity(of: digest) == nil && next.wasValid(digest))
        let back = next.replacing([Member(identity: Identity("ann"), scheme: .bearer, secret: "token-a")])
        #expect(back.identity(of: digest) != nil && !back.wasValid(digest))
    }
}

@Suite struct `Who guesses` {
    private static let here = SourceAddress(bits: 0x7F00_0001)
    private static let there = SourceAddress(bits: 0x7F00_0002)
    private var limit = GuessLimit()

    private mutating func judge(
        _ secret: UInt64,
        isRight: Bool = false,
        wasRight: Bool = false,
        from source: SourceAddress = here,
        at seconds: UInt64 = 1000
    ) -> GuessLimit.Verdict {
        limit.judge(
            HMAC.Digest(repeating: secret),
            isRight: isRight,
            wasRight: wasRight,
            from: source,
            at: UnixTime(nanoseconds: seconds * 1_000_000_000)
        )
    }

    @Test mutating func `is told nothing more after ten wrong secrets, the right one included`() {
        for secret in 0..<10 as Range<UInt64> { #expect(judge(secret) == .wrong) }
        #expect(judge(10) == .tooMany)
        #expect(judge(99, isRight: true) == .tooMany)
        // One more each three seconds.
        #expect(judge(11, at: 1002) == .tooMany)
        #expect(judge(12, at: 1003) == .wrong)
        #expect(judge(13, at: 1003) == .tooMany)
        #expect(judge(99, isRight: true, at: 1006) == .accepted)
    }

    @Test mutating func `holds up neither other sources nor clients that were there before`() {
        #expect(judge(99, isRight: true) == .accepted)
        for secret in 0..<20 as Range<UInt64> { _ = judge(secret) }
        #expect(judge(99, isRight: true) == .accepted)
        #expect(judge(98, isRight: true, from: Self.there) == .accepted)
        #expect(judge(98, isRight: true) == .tooMany)
    }

    @Test mutating func `is nobody whose settings hold a wrong or an old secret`() {
        for _ in 0..<100 { #expect(judge(7) == .wrong) }
        for old in 100..<200 as Range<UInt64> { #expect(judge(old, wasRight: true) == .wrong) }
        #expect(judge(99, isRight: true) == .accepted)
    }

    @Test mutating func `from many sources costs bounded memory, and those that find no room share their tries`() {
        for source in 1...5000 as ClosedRange<UInt64> {
            for secret in 0..<2 as Range<UInt64> {
                _ = judge(secret + 10 * source, from: SourceAddress(bits: source << 32))
            }
        }
        #expect(judge(3, from: SourceAddress(bits: 9000 << 32)) == .tooMany)
    }
}

import Basics
import Pipeline

/// Members by the codes of their secrets.
///
/// A secret is looked up by an HMAC under a key that no client knows, so that the time of a look-up says nothing of how much of
/// a guess is right.
struct MemberTable: Sendable {
    private let key: [UInt8]
    private var identities: [HMAC.Digest: Identity] = [:]
    /// Codes of secrets that are short enough to be guessed.
    private var guessable: Set<HMAC.Digest> = []
    private var byName: [ExactText: Identity] = [:]
    /// Codes of secrets that were valid earlier: who still shows one does not guess.
    private var retired: Set<HMAC.Digest> = []

    /// Secrets of earlier members that are known, at most.
    private static let retiredMax = 10_000

    /// - Parameters:
    ///   - key: Known to nobody else.
    ///   - members: Without repeated secrets.
    init(key: [UInt8], _ members: [Member]) {
        self.key = key
        for member in members {
            let credential = Credential(member.scheme, member.identity.name, member.secret)
            byName[ExactText(member.identity.name)] = member.identity
            guard let digest = digest(of: credential) else { continue }
            identities[digest] = member.identity
            if member.isGuessable { guessable.insert(digest) }
        }
    }

    /// A table of these members that remembers whose secrets were valid before.
    func replacing(_ members: [Member]) -> MemberTable {
        var next = MemberTable(key: key, members)
        let known = retired.union(identities.keys)
        if known.count <= Self.retiredMax { next.retired = known.subtracting(next.identities.keys) }
        return next
    }

    /// The code of what a client shows; nil where there is no memory for it.
    func digest(of credential: Credential) -> HMAC.Digest? { HMAC.digest(credential.bytes, key: key) }

    /// Whose code it is; nil for nobody's.
    func identity(of digest: HMAC.Digest) -> Identity? { identities[digest] }

    /// Whether the secret of that code is short enough to be guessed.
    func isGuessable(_ digest: HMAC.Digest) -> Bool { guessable.contains(digest) }

    /// The member of that name, byte for byte; nil for none.
    func member(named name: String) -> Identity? { byName[ExactText(name)] }

    /// Whether it was somebody's before the members changed.
    func wasValid(_ digest: HMAC.Digest) -> Bool { retired.contains(digest) }
}

/// What a client shows of itself in an `Authorization` header.
struct Credential: Sendable {
    /// The scheme, and what identifies and proves the client.
    let bytes: [UInt8]

    init(_ scheme: AuthScheme, _ name: String, _ secret: String) {
        switch scheme {
        case .bearer: bytes = [1] + Array(secret.utf8)
        case .basic: bytes = [2] + Array("\(name):\(secret)".utf8)
        }
    }

    /// Reads the header's value; nil for another scheme, and for what is not in its form.
    init?(authorization: String) {
        let value = authorization[...].trimmed
        let end = value.utf8.firstIndex(of: UInt8(ascii: " ")) ?? value.endIndex
        let (scheme, rest) = (value[..<end], value[end...].trimmed)
        if scheme.isHeader("bearer"), AuthScheme.bearer.takes(secret: rest) {
            bytes = [1] + Array(rest.utf8)
        } else if scheme.isHeader("basic") {
            let letters = Array(rest.utf8)
            guard let pair = Base64.decode(letters.span.bytes, 0..<letters.count),
                pair.contains(UInt8(ascii: ":"))
            else { return nil }
            bytes = [2] + pair
        } else {
            return nil
        }
    }
}

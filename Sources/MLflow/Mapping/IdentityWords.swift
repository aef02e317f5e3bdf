import Basics

/// What the last words of a key say, for keys that no rule names: `app.chatSessionId` names a session, `shop.customer_id` a user.
///
/// Asked once for the keys of a plan, not for each span.
enum IdentityWords {
    case session
    case user
    /// An object with what is known of a session.
    case about

    private static let sessions: Set<String> = ["session", "thread", "conversation", "chat", "group"]
    private static let users: Set<String> = ["user", "customer"]
    private static let endings: Set<String> = ["id", "identifier"]
    private static let objects: Set<String> = ["metadata", "attributes", "properties"]
    /// Words before those of a session that make something else of it: a run of checks, a consumer of a queue, a group of a cloud.
    private static let qualifiers: Set<String> = [
        "validation", "training", "consumer", "resource", "security", "log", "node", "placement", "process", "worker",
        "pool",
    ]
    /// Keys that end alike and mean something else, by what they begin with: threads of the operating system, consumer
    /// groups, groups of processes, users of databases.
    private static let others = [
        "thread.", "jvm.", "messaging.", "process.", "host.", "os.", "k8s.", "container.", "cloud.", "aws.", "azure.",
        "db.",
        "net.",
        "network.", "http.", "rpc.", "tls.", "faas.", "url.", "code.",
    ]
    /// Bytes of a key that is looked at, at most.
    private static let keyMax = 128

    /// Nil for a key that ends in other words.
    init?(_ key: Range<Int>, _ bytes: RawSpan) {
        guard key.count <= Self.keyMax, let last = key.last,
            [UInt8(ascii: "d"), UInt8(ascii: "r"), UInt8(ascii: "a"), UInt8(ascii: "s")]
                .contains(bytes.byte(at: last) | 0x20)
        else { return nil }
        let text = bytes.text(key)
        let words = Self.words(text)
        guard words.count >= 2, case let ending = words[words.count - 1], case let word = words[words.count - 2],
            !Self.others.contains(where: { text.hasPrefix($0) })
        else { return nil }
        if Self.objects.contains(ending), Self.sessions.contains(word) {
            self = .about
            return
        }
        guard Self.endings.contains(ending) else { return nil }
        if words.count > 2, Self.qualifiers.contains(words[words.count - 3]) { return nil }
        if Self.sessions.contains(word) {
            self = .session
        } else if Self.users.contains(word) {
            self = .user
        } else {
            return nil
        }
    }

    /// The words of a key, in small letters: they end at signs and before capitals.
    private static func words(_ key: String) -> [String] {
        var words: [String] = []
        var word = ""
        var wasSmall = false
        for letter in key.unicodeScalars {
            let isWord = letter.properties.isAlphabetic || letter.properties.numericType != nil
            let isCapital = letter.properties.isUppercase
            if !isWord || isCapital && wasSmall {
                if !word.isEmpty { words.append(word) }
                word = ""
            }
            if isWord { word += String(letter).lowercased() }
            wasSmall = isWord && !isCapital
        }
        return word.isEmpty ? words : words + [word]
    }
}

/// A token that is known by how it begins, as data.
struct TokenShape: Sendable {
    /// What a token needs besides its letters.
    enum Check: Sendable {
        /// `T3BlbkFJ` somewhere inside.
        case openAI
        /// `AA` at the end.
        case anthropic
        /// The last six letters are a CRC-32 in base 62.
        case checksum
        /// A run of hexadecimal digits, an underscore, ten more.
        case langSmith
        /// A full stop, then 43 letters more.
        case sendGrid
        /// A full stop, a version and a checksum: GitLab's tokens that say which cell they are of.
        case routable
        /// Nothing but letters and digits, of which some are digits.
        case mixed
    }

    let detector: Detector
    /// Up to and with the byte at which the pass stops.
    let head: [UInt8]
    /// What follows that.
    let rest: [UInt8]
    let alphabet: ByteClass
    let length: ClosedRange<Int>
    let check: Check?

    private init(
        _ detector: Detector,
        _ head: String,
        _ rest: String,
        _ alphabet: ByteClass,
        _ length: ClosedRange<Int>,
        _ check: Check?
    ) {
        self.detector = detector
        self.head = Array(head.utf8)
        self.rest = Array(rest.utf8)
        self.alphabet = alphabet
        self.length = length
        self.check = check
    }

    private static func exactly(_ count: Int) -> ClosedRange<Int> { count...count }

    /// Tokens with the same head and one of several continuations.
    private static func each(
        _ detector: Detector,
        _ head: String,
        _ rests: [String],
        _ alphabet: ByteClass,
        _ length: ClosedRange<Int>,
        _ check: Check? = nil
    ) -> [TokenShape] {
        rests.map { TokenShape(detector, head, $0, alphabet, length, check) }
    }

    private static let ofModels: [[TokenShape]] = [
        each(.anthropic, "sk-", ["ant-api03-", "ant-admin01-"], .word, exactly(95), .anthropic),
        // Of people who signed in, and what renews these.
        each(.anthropic, "sk-", ["ant-oat01-", "ant-ort01-"], .word, 80...120),
        each(.openai, "sk-", ["proj-", "svcacct-", "admin-"], .word, 40...300, .openAI),
        each(.llmProvider, "sk-", ["or-v1-"], .hex, exactly(64)),
        each(.openai, "sk-", [""], .alphanumeric, exactly(48), .openAI),
        each(.llmProvider, "gsk_", [""], .alphanumeric, exactly(52)),
        each(.llmProvider, "xai-", [""], .alphanumeric, exactly(80)),
        each(.llmProvider, "pplx-", [""], .alphanumeric, exactly(48)),
        each(.llmProvider, "hf_", [""], .letter, exactly(34)),
        each(.llmProvider, "r8_", [""], .alphanumeric, exactly(37)),
        each(.llmProvider, "nvapi-", [""], .word, exactly(64)),
        each(.llmProvider, "lsv2_", ["pt_", "sk_"], [.hex, .underscore], exactly(43), .langSmith),
    ]

    private static let ofClouds: [[TokenShape]] = [
        each(.google, "A", ["Iza"], .word, exactly(35)),
        each(.bedrock, "A", ["BSK"], [.base64, .equals], 100...300),
        each(.awsKeyID, "A", ["KIA", "SIA", "BIA", "CCA"], .base32, exactly(16)),
        each(.databricks, "d", ["api"], .hex, exactly(32)),
        each(.sendgrid, "S", ["G."], .word, exactly(22), .sendGrid),
        each(.stripe, "sk_", ["live_", "test_", "prod_"], .alphanumeric, 10...247, .mixed),
        each(.stripe, "rk_", ["live_", "test_", "prod_"], .alphanumeric, 10...247, .mixed),
    ]

    private static let ofTools: [[TokenShape]] = [
        each(.github, "github_", ["pat_"], [.alphanumeric, .underscore], exactly(82)),
        each(.gitlab, "glpat-", [""], .word, exactly(20)),
        each(.gitlab, "glpat-", [""], .word, 27...300, .routable),
        each(.npm, "npm_", [""], .alphanumeric, exactly(36)),
        each(.pypi, "pypi-", ["AgEIcHlwaS5vcmc"], .word, 50...400),
    ]

    private static let ofLetters: [[TokenShape]] =
        ["p", "o", "u", "s", "r"].map { each(.github, "gh\($0)_", [""], .alphanumeric, exactly(36), .checksum) }
        + ["b", "p", "e"].map { each(.slack, "xox\($0)-", [""], [.alphanumeric, .hyphen], 24...256) }

    /// All of them; of several with one head the first that fits counts.
    private static let all: [TokenShape] = [ofModels, ofClouds, ofTools, ofLetters].flatMap { $0.flatMap { $0 } }

    /// By the last byte of the head.
    static let byMark: [[TokenShape]] = (0..<256).map { mark in all.filter { $0.head.last == UInt8(mark) } }

    /// By two bytes, the first in the upper half: whether they stand before the last byte of some head.
    static let isBeforeMark: [Bool] = pairs(
        of: all.filter { $0.head.count > 2 }.map { Array($0.head.dropLast().suffix(2)) }
    )

    /// By two bytes, the first in the upper half: whether they follow some head of one byte.
    static let isAfterMark: [Bool] = pairs(of: all.filter { $0.head.count == 1 }.map { Array($0.rest.prefix(2)) })

    private static func pairs(of pairs: [[UInt8]]) -> [Bool] {
        var table = [Bool](repeating: false, count: 1 << 16)
        for pair in pairs { table[Int(pair[0]) << 8 | Int(pair[1])] = true }
        return table
    }
}

import Basics
import Conditions
package import OTLP
package import Pipeline
package import Settings

/// The settings of `redact`.
package struct RedactSettings: Sendable {
    /// A regular expression, and what its matches are called.
    struct Pattern: Sendable {
        var name = ""
        var match = ""
    }

    /// What makes equal values stay equal.
    struct Hash: Sendable {
        var key = Secret("")
        var keyID = ""
    }

    /// Detectors that are switched on or off.
    var detectors: [Named<Bool>] = []
    /// Names whose values go whole, as globs.
    var keys: [String] = []
    var patterns: [Pattern] = []
    var insideJSON = true
    var media = true
    /// What comes in the place of what is found.
    var with = "[redacted:NAME]"
    var hash: Hash?
    /// Bytes scanned of one value.
    var budget = ByteCount.mebibytes(1)

    package init() {}

    /// Those that work.
    var detectorsInEffect: Set<Detector> {
        var working = Set(Detector.allCases.filter(\.isUsual))
        for choice in detectors {
            guard let detector = Detector(named: choice.name) else { continue }
            if choice.value { working.insert(detector) } else { working.remove(detector) }
        }
        return working
    }
}

extension RedactSettings: ProcessorSettings {
    package var inEffect: [String: [String]] {
        ["detectors": detectorsInEffect.sorted { $0.number < $1.number }.map(\.name)]
    }
    package var signals: Set<Signal> { Set(Signal.allCases) }
    package var conditions: [String] { [] }
    package var turn: ProcessorTurn { .redaction }

    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Takes secrets and personal data out of every text, also inside JSON in texts, before anything is written or read by another processor: it runs first, wherever it stands. See docs/redaction.md for what is found.",
        RedactSettings(),
        [
            Field(
                "detectors",
                \.detectors,
                .map(.word(among: Detector.names), to: .flag),
                "Switches detectors on and off; all are on but `phone` and `ip`."
            ),
            Field(
                "keys",
                \.keys,
                .list(of: .text),
                "Names of attributes and of members of JSON, as globs in letters of either case, whose values go whole, whatever they are: texts, numbers, lists, objects. Of members inside one another each has its own name: `email`, not `user.email`."
            ),
            Field("patterns", \.patterns, .array(of: .pattern), "What else is found: regular expressions."),
            Field(
                "inside_json",
                \.insideJSON,
                .flag,
                "Whether texts that are JSON are read as such, eight levels deep."
            ),
            Field(
                "media",
                \.media,
                .flag,
                "Whether images and documents in base64 become their type, size and SHA-256."
            ),
            Field(
                "with",
                \.with,
                .replacement,
                "What comes in the place of what is found; `NAME` is the detector, the pattern, `key` or `budget`."
            ),
            Field(
                "hash",
                optional: \.hash,
                .group(.hash),
                "Puts `[NAME:KEY_ID:CODE]` in the place instead; CODE is HMAC-SHA-256, so that equal values stay equal."
            ),
            Field(
                "budget",
                \.budget,
                .size(ByteCount(bytes: 1024)...),
                "How much of one value is scanned; a larger one goes whole, as `budget`."
            ),
        ],
        check: { settings, group, context in
            var names: Set<String> = []
            for (index, pattern) in settings.patterns.enumerated() where !names.insert(pattern.name).inserted {
                let offset = group["patterns"]?.elements?[index].offset ?? group.offset
                context.report("\(quoted(pattern.name)) names two patterns", at: offset)
            }
            guard settings.hash != nil, let with = group["with"] else { return }
            context.report("\"with\" has no meaning beside \"hash\"", at: with.offset)
        }
    )

    package func makeProcessor(named name: String) throws -> (any SpanProcessor)? {
        try Redact(name: name, settings: self)
    }
}

extension Shape<RedactSettings.Pattern> {
    fileprivate static let pattern = Shape(
        "A regular expression whose matches are taken out.",
        RedactSettings.Pattern(),
        [
            Field(
                "name",
                \.name,
                .patternName,
                "What its matches are called, in their place and in metrics.",
                required: true
            ),
            Field("match", \.match, .text, "In RE2's syntax, found anywhere; never the empty text.", required: true),
        ],
        check: { pattern, group, context in
            guard let node = group["match"], node.string == pattern.match else { return }
            context.within("match") { context in
                do throws(PatternError) {
                    let empty: [UInt8] = [0]
                    // Two backslashes are one that is meant.
                    let cuts = pattern.match.replacing(#"\\"#, with: "").contains(#"\C"#)
                    if try RegularExpression(pattern.match).matches(empty.span.bytes, 0..<0) {
                        context.report("\(quoted(pattern.match)) also matches the empty text", at: node.offset)
                    } else if cuts {
                        let what = #"has \C, which is a single byte; `.` is a character"#
                        context.report("\(quoted(pattern.match)) \(what)", at: node.offset)
                    }
                } catch {
                    context.report("\(quoted(pattern.match)) cannot be used: \(error.reason)", at: node.offset)
                }
            }
        }
    )
}

extension Shape<RedactSettings.Hash> {
    fileprivate static let hash = Shape(
        "What makes equal values stay equal, for who does not have the key in a way that cannot be guessed.",
        RedactSettings.Hash(),
        [
            Field("key", \.key, .hashKey, "The key of HMAC-SHA-256, at least 16 bytes.", required: true),
            Field("key_id", \.keyID, .patternName, "What the key is called beside each code.", required: true),
        ]
    )
}

extension Kind<Secret> {
    /// A key that is not found by trying all.
    fileprivate static let hashKey = secret(of: "a string of at least 16 bytes") { text in
        text.utf8.count >= 16 && text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
    }
}

extension Kind<String> {
    /// A name that can stand inside JSON and in a metric.
    fileprivate static let patternName = Kind.parsed(
        "letters, digits, _ and -, 64 at most, and no detector's name",
        brief: "name",
        schema: ["type": "string", "pattern": #"^[A-Za-z0-9_-]{1,64}$|\$\{"#],
        parse: { text in
            let isName = text.utf8.allSatisfy { !ByteClass.of($0).isDisjoint(with: .word) }
            return isName && (1...64).contains(text.utf8.count) && !RedactionLabels.taken.contains(text) ? text : nil
        },
        format: { $0 }
    )

    /// A text that can stand inside JSON inside texts.
    fileprivate static let replacement = Kind.parsed(
        "a text of 1 to 64 bytes without quotes, backslashes and control characters",
        brief: "text",
        schema: ["type": "string", "minLength": .integer(1), "maxLength": .integer(64)],
        parse: { text in
            let isPlain = text.utf8.allSatisfy {
                $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
            }
            return isPlain && (1...64).contains(text.utf8.count) ? text : nil
        },
        format: { $0 }
    )
}

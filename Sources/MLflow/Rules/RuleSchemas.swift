import Settings

/// The JSON Schema of mapping rules, for editors; `RuleDocument` reads them and says what is wrong where.
enum RuleSchemas {
    /// A document: groups of rules, each a rule or several of them, and a condition for all.
    static let document = object(
        [
            (
                "convention",
                described("string", "What the rules are called after in `millrace explain`; `user` is the default.")
            ),
            ("when", condition),
            ("type", group(.text("A span type, such as `AGENT`, for all spans that `when` asks for."), typeRule)),
            ("content", group(nil, rule([("inputs", source), ("outputs", source), ("tools", source)]))),
            ("inputs", source), ("outputs", source), ("tools", source),
            ("usage", group(nil, usageRule)),
            ("model", group(.text("The attribute with the model."), modelRule)),
            ("session", group(.text("The attribute with the session."), textRule)),
            ("user", group(.text("The attribute with the user."), textRule)),
            ("name", group(.text("The attribute that a trace is named after, on its root."), textRule)),
            (
                "level",
                group(nil, rule([("attribute", text), ("values", ["type": "object"])], required: ["attribute"]))
            ),
            ("prompt", group(nil, rule([("name", text), ("version", text)], required: ["name", "version"]))),
            ("tags", pairs("Tags of the trace by name: the attribute of each.", tagRule)),
            ("drop", group(nil, rule([]), or: ["const": true])),
            ("rename", pairs("Attributes by key: the new key of each.", renameRule)),
            (
                "failure",
                group(nil, rule([("attribute", text), ("values", texts), ("message", text)], required: ["attribute"]))
            ),
            ("span_name", group(.text("The attribute that a span is named after, such as a tool's name."), nameRule)),
            ("call", group(.text("The attribute with the id of a model's answer."), callRule)),
        ],
        required: []
    )

    private static let text: JSON = ["type": "string", "minLength": .integer(1)]
    private static let texts: JSON = ["anyOf": [text, ["type": "array", "items": text]]]
    private static let flag: JSON = ["type": "boolean"]
    private static let condition: JSON = ["type": "object", "minProperties": .integer(1)]

    private static let typeRule = rule([
        ("attribute", text), ("values", ["type": "object"]), ("endings", ["type": "object"]), ("present", texts),
        ("type", text),
    ])

    private static let textRule = rule(
        [("attribute", text), ("path", text), ("root_only", flag), ("typed_only", flag)],
        required: ["attribute"]
    )
    private static let nameRule = rule([("attribute", text)], required: ["attribute"])
    private static let callRule = rule([("attribute", text), ("path", text)], required: ["attribute"])
    private static let tagRule = rule([
        ("attribute", text), ("prefix", text), ("except", texts), ("list", flag), ("tag", text),
    ])
    private static let renameRule = rule([("attribute", text), ("to", text)], required: ["attribute", "to"])

    private static let usageRule = rule([
        ("in", text), ("input", texts), ("output", texts), ("total", texts), ("cache_read", texts),
        ("cache_creation", texts), ("reasoning", texts), ("input_excludes_cache", flag), ("any_span", flag),
        ("cost", object([("in", text), ("input", texts), ("output", texts), ("total", texts)], required: [])),
    ])

    private static let modelRule = rule([
        ("model", texts), ("model_in", ["type": "object", "additionalProperties": texts]), ("provider", texts),
        ("provider_in", ["type": "object", "additionalProperties": texts]), ("cuts_provider", flag),
    ])

    private static let wrapper = object(
        [
            ("member", text), ("only", flag), ("empty", texts), ("with", texts), ("optional", texts),
            ("except_tools", flag),
        ],
        required: ["member"]
    )
    private static let wrappers: JSON = [
        "anyOf": [text, wrapper, ["type": "array", "items": ["anyOf": [text, wrapper]]]]
    ]

    private static let source: JSON = [
        "anyOf": [
            described("string", "The attribute with the content."),
            object(
                [
                    ("attribute", text), ("path", text), ("json", flag), ("flattened", text), ("unwrap", texts),
                    ("object", ["type": "object", "additionalProperties": text]), ("events", ["type": "object"]),
                    ("as", ["enum": .words(ContentSource.Shape.allCases.map(\.rawValue))]),
                    ("only", ["enum": .words(ContentSource.Portion.allCases.map(\.rawValue))]), ("join", flag),
                    ("media_type", text), ("instructions", text), ("parameters", texts), ("finish_reasons", texts),
                    ("open", wrappers), ("quoted", flag), ("whole", text),
                ],
                required: []
            ),
        ]
    ]

    private static func rule(_ members: [(String, JSON)], required: [String] = []) -> JSON {
        object([("rule", text), ("when", condition)] + members, required: required)
    }

    private static func object(_ members: [(String, JSON)], required: [String]) -> JSON {
        let properties = members.map { JSON.Member($0.0, $0.1) }
        let schema: JSON = ["type": "object", "properties": .object(properties), "additionalProperties": false]
        return required.isEmpty ? schema : schema.adding(["required": .words(required)])
    }

    /// One rule, several of them or, where `brief` tells of one, a string.
    private static func group(_ brief: JSON?, _ rule: JSON, or short: JSON? = nil) -> JSON {
        let string: JSON? = brief.map { ["type": "string", "description": $0] }
        return ["anyOf": .array([short, string, rule, ["type": "array", "items": rule]].compactMap { $0 })]
    }

    /// An object of pairs, or rules.
    private static func pairs(_ brief: String, _ rule: JSON) -> JSON {
        let object: JSON = ["type": "object", "description": .text(brief), "additionalProperties": text]
        return ["anyOf": [object, ["type": "array", "items": rule]]]
    }

    private static func described(_ type: String, _ brief: String) -> JSON {
        ["type": .text(type), "description": .text(brief)]
    }
}

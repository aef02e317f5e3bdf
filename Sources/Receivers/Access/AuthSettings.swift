import Basics
package import Pipeline
package import Settings

/// Who may send to a receiver (`auth`): members with bearer tokens or passwords, in the pipeline file or in files of their own.
package struct AuthSettings: Sendable, Equatable {
    /// Members with tokens, and files of such members.
    package var bearer: [MemberSettings] = []
    /// Members with passwords, and files of such members.
    package var basic: [MemberSettings] = []

    package init() {}

    /// The members of a scheme, in the order of the pipeline file.
    subscript(scheme: AuthScheme) -> [MemberSettings] {
        switch scheme {
        case .bearer: bearer
        case .basic: basic
        }
    }

    /// Experiments that members of the pipeline file may write to, those that globs stand for aside.
    package var namedExperiments: Set<Route> {
        let lists = AuthScheme.allCases.flatMap { self[$0] }.compactMap(\.experiments)
        return lists.reduce(into: []) { $0.formUnion(ExperimentList($1).named) }
    }

    /// The files of members that it names.
    var files: [String] { AuthScheme.allCases.flatMap { self[$0] }.compactMap(\.file) }

    /// The secrets of its own members that files give, by the places of the members.
    var fileSecrets: [String: Secret] {
        var secrets: [String: Secret] = [:]
        for scheme in AuthScheme.allCases {
            for (entry, member) in self[scheme].enumerated() {
                if let secret = member.secret, secret.isFromFile { secrets[scheme.place(of: entry)] = secret }
            }
        }
        return secrets
    }

    /// The same with other secrets at some of these places.
    func replacing(_ secrets: [String: String]) -> AuthSettings {
        func replaced(_ scheme: AuthScheme) -> [MemberSettings] {
            self[scheme].enumerated().map { entry, member in
                var member = member
                if let secret = secrets[scheme.place(of: entry)] { member.secret = Secret(secret) }
                return member
            }
        }
        var settings = self
        settings.bearer = replaced(.bearer)
        settings.basic = replaced(.basic)
        return settings
    }
}

/// A way to show who one is (RFC 6750, RFC 7617).
package enum AuthScheme: String, CaseIterable, Sendable {
    case bearer, basic

    /// How messages name one of its entries in the pipeline file.
    func place(of entry: Int) -> String { "/\(self)/\(entry)" }

    /// The form of a line in a file of members.
    var line: String {
        switch self {
        case .bearer: "NAME TOKEN [experiment,…]"
        case .basic: "USER PASSWORD [experiment,…]"
        }
    }

    /// What the secret is called.
    var secretName: String {
        switch self {
        case .bearer: "token"
        case .basic: "password"
        }
    }

    /// Whether a text can be sent as the secret in an `Authorization` header.
    func takes(secret: some StringProtocol) -> Bool {
        switch self {
        // No white space, which would end it.
        case .bearer: !secret.isEmpty && secret.utf8.allSatisfy { (0x21...0x7E).contains($0) }
        case .basic: !secret.isEmpty && !secret.utf8.contains(where: \.isControl)
        }
    }

    /// Whether a text can be a member's name: it stands in metrics and logs.
    func takes(name: some StringProtocol) -> Bool {
        let isWord = !name.isEmpty && name.utf8.count <= 128 && !name.contains { $0.isWhitespace || $0.isControl }
        return isWord && (self == .bearer || !name.utf8.contains(UInt8(ascii: ":")))
    }

    /// What `takes(name:)` takes, in words.
    var names: String { "a word of at most 128 bytes" + (self == .basic ? " without a colon" : "") }
}

/// One entry of `bearer` or `basic`: a member, or a file of members.
package struct MemberSettings: Sendable, Equatable {
    var name: String?
    var secret: Secret?
    /// Names, ids and globs of the experiments that it may write to; nil for all.
    var experiments: [String]?
    /// A file of members in place of one.
    var file: String?
}

extension AuthSettings {
    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Who may send: a request needs the token or the password of a member, else it is answered 401.",
        AuthSettings(),
        [
            Field("bearer", \.bearer, .array(of: .member(.bearer)), "Members that send `Authorization: Bearer TOKEN`."),
            Field("basic", \.basic, .array(of: .member(.basic)), "Members that send a user name and a password."),
        ],
        check: { auth, group, context in
            let isWritten = ["bearer", "basic"].contains { group[$0]?.elements?.isEmpty == false }
            if !isWritten {
                context.report("no member; at least one under bearer or basic is needed", at: group.offset)
            }
            MemberList(auth) { _ in .success([]) }.report(in: group, &context)
        }
    )
}

extension Shape<MemberSettings> {
    fileprivate static func member(_ scheme: AuthScheme) -> Shape {
        let name = scheme == .bearer ? "name" : "username"
        return Shape(
            "A member, or a file of members.",
            MemberSettings(),
            [
                Field(
                    scheme.secretName,
                    optional: \.secret,
                    .secret(of: scheme),
                    "What the member shows; never printed. Read again when the file of a `${file:…}` changes."
                ),
                Field(
                    name,
                    optional: \.name,
                    .name(of: scheme),
                    "What it is called in metrics, logs, routes and the journal."
                ),
                Field(
                    "experiments",
                    optional: \.experiments,
                    .list(of: .text),
                    "Names, ids (all digits) or globs of the only experiments it may write to, compared as written; a request that would write elsewhere is answered 403 whole."
                ),
                Field(
                    "file",
                    optional: \.file,
                    .text,
                    "In place of a member: a file with one a line, `\(scheme.line)`; read again when it changes. A line that begins with `#` is a comment."
                ),
            ],
            check: { member, group, context in
                let own = [name, scheme.secretName, "experiments"].filter { group[$0] != nil }
                if group["file"] != nil, let other = own.first {
                    context.report("\(quoted(other)) stands beside \"file\"; allowed: one of them", at: group.offset)
                } else if group["file"] == nil, group[name] == nil || group[scheme.secretName] == nil {
                    let allowed = "\(name) and \(scheme.secretName), or file"
                    context.report("no whole member; allowed: \(allowed)", at: group.offset)
                }
                if member.experiments?.isEmpty == true {
                    context.report("no experiment; leave \"experiments\" out to allow all", at: group.offset)
                }
            }
        )
    }
}

extension Kind<Secret> {
    fileprivate static func secret(of scheme: AuthScheme) -> Kind {
        let allowed =
            scheme == .bearer ? "a token of visible ASCII characters" : "a password without control characters"
        return secret(of: allowed) { scheme.takes(secret: $0) }
    }
}

extension Kind<String> {
    fileprivate static func name(of scheme: AuthScheme) -> Kind {
        parsed(
            scheme.names,
            brief: "word",
            schema: ["type": "string", "minLength": .integer(1)],
            parse: { scheme.takes(name: $0) ? $0 : nil },
            format: { $0 }
        )
    }
}

package import Basics
package import Settings

/// How servers of NATS are reached.
package struct NATSSettings: Sendable {
    /// Where a connection is looked for first; what these say of others of their cluster is learnt.
    package var servers: [NATSServer] = []
    /// Nil for servers that ask for none.
    package var credentials: NATSCredentials?
    /// Nil where a server's address or its own words decide, with the system's authorities.
    package var tls: TLSSettings?

    package init() {}

    /// The settings in the pipeline file.
    package static let fields: [Field<NATSSettings>] = [
        Field(
            "servers",
            \.servers,
            .list(of: .natsServer),
            "Servers of one cluster; others of it are learnt from these.",
            required: true
        ),
        Field(
            "credentials",
            optional: \.credentials,
            .group(.credentials),
            "What the servers are shown; without it, nothing."
        ),
        Field(
            "tls",
            optional: \.tls,
            .group(.tls),
            "Nothing but TLS will do; without it, where a server asks for it or its address is `tls://…`."
        ),
    ]

    /// Reports an empty list of servers.
    package func check(_ group: Group, _ context: inout DecodeContext) {
        guard let node = group["servers"], servers.isEmpty, node.elements?.isEmpty == true else { return }
        context.within("servers") { $0.report("no server; at least one is needed", at: node.offset) }
    }
}

/// What a client of NATS shows: one of a file, a user with a password, a token, or a key.
package struct NATSCredentials: Sendable {
    /// Path of a file with a user's JWT and the seed of its key.
    package var file: String?
    package var user: String?
    package var password: Secret?
    package var token: Secret?
    /// The seed of a user's key, `SU…`.
    package var nkey: Secret?

    package init() {}
}

extension Shape<NATSCredentials> {
    fileprivate static let credentials = Shape(
        "What servers of NATS are shown: `file`, `user` with `password`, `token` or `nkey`.",
        Settings(),
        [
            Field(
                "file",
                optional: \.file,
                .text,
                "File with a user's JWT and seed (`.creds`), read at each connection."
            ),
            Field("user", optional: \.user, .text, "A user's name."),
            Field("password", optional: \.password, .secret, "The user's password."),
            Field("token", optional: \.token, .secret, "A token."),
            Field(
                "nkey",
                optional: \.nkey,
                .secret(of: "the seed of a user's key, \"SU…\"") { NKey(seed: $0) != nil },
                "The seed of a user's key."
            ),
        ],
        check: { _, group, context in
            let ways = ["file", "user", "token", "nkey"].filter { group[$0] != nil }
            if ways.count != 1 {
                let what =
                    ways.isEmpty
                    ? "nothing is shown" : "\(ways.map(quoted).joined(separator: " and ")) exclude each other"
                context.report("\(what); allowed: one of \"file\", \"user\", \"token\" and \"nkey\"", at: group.offset)
            }
            if (group["user"] == nil) != (group["password"] == nil) {
                context.report("\"user\" and \"password\" go together", at: group.offset)
            }
        }
    )
}

extension Kind<NATSServer> {
    /// Where a server of NATS listens.
    static let natsServer = Kind.parsed(
        NATSServer.form,
        brief: "address",
        schema: ["type": "string", "minLength": .integer(1)],
        parse: { NATSServer(text: $0) },
        format: \.description
    )
}

extension Kind<String> {
    /// The name of a stream or consumer: part of subjects, and of files on the servers.
    package static let natsName = Kind.parsed(
        "a name of at most 64 letters, digits, \"_\" and \"-\"",
        brief: "name",
        schema: ["type": "string", "pattern": #"^[A-Za-z0-9_-]{1,64}$|\$\{"#],
        parse: { isName($0[...]) ? $0 : nil },
        format: { $0 }
    )

    /// What the subjects of messages begin with.
    package static let natsSubject = Kind.parsed(
        "words of letters, digits, \"_\" and \"-\" with \".\" between them, such as \"mr.traces\"",
        brief: "subject",
        schema: ["type": "string", "pattern": #"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$|\$\{"#],
        parse: { $0.split(separator: ".", omittingEmptySubsequences: false).allSatisfy(isName) ? $0 : nil },
        format: { $0 }
    )
}

private func isName(_ text: Substring) -> Bool {
    let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
    return !text.isEmpty && text.utf8.count <= 64
        && text.utf8.allSatisfy { $0.isDigit || letters.contains($0 | 0x20) || $0 == 0x5F || $0 == 0x2D }
}

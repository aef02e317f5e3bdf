import Basics
import Foundation
import Glibc
import Pipeline
import Synchronization
import TestKit
import Testing

@testable import Receivers

@Suite struct `Who may send` {
    private static func settings(_ settings: inout OTLPHTTPReceiverSettings) {
        settings.auth = AuthSettings()
        settings.auth?.bearer = [
            MemberSettings(name: "ann", secret: "token-a"),
            MemberSettings(name: "bob", secret: "token-b", experiments: ["team-b"]),
        ]
    }

    private static let challenge = #"Bearer realm="millrace""#

    @Test func `is known to the pipelines by name`() async throws {
        try await withReceiver {
            Self.settings(&$0)
        } _: { harness in
            let shown = ["Authorization: Bearer token-b"]
            try await harness.expect(200, request(headers: shown, body: [1]))
            let identity = harness.intake.received.first?.source.identity
            #expect(identity == Identity("bob", experiments: ExperimentList(["team-b"])))
        }
    }

    @Test(arguments: [
        [], ["Authorization: Bearer token-c"], ["Authorization: Basic dG9rZW4tYQ=="], ["Authorization: token-a"],
        ["Authorization: Bearer token-a", "Authorization: Bearer token-a"], ["X-Authorization: Bearer token-a"],
    ])
    func `has to show it, before a body is read`(headers: [String]) async throws {
        let log = LogLines()
        try await withReceiver(log: log) {
            Self.settings(&$0)
        } _: { harness in
            // No byte of the body comes.
            let answer = try await harness.exchange(request(headers: headers + ["Content-Length: 60000000"]))
            #expect(answer.status == 401 && answer.headers["www-authenticate"] == Self.challenge)
            #expect(statusMessage(answer.body)?.hasSuffix(#"allowed: "Authorization: Bearer TOKEN""#) == true)
            #expect(harness.intake.received.isEmpty)
            let metrics = harness.meters.prometheusText()
            #expect(metrics.contains(/millrace_receiver_denied_requests_total\{reason="\w+",receiver="otlp"\} 1\n/))
            #expect(metrics.contains(#"millrace_receiver_requests_total{code="401",receiver="otlp"} 1"#))
        }
        let lines = log.lines("a request is refused for its credentials")
        #expect(lines.count == 1)
        #expect(lines.first?.contains("source=127.0.0.1") == true)
        #expect(!log.all.joined().contains("token-"))
    }

    @Test func `is told nothing of paths before`() async throws {
        try await withReceiver {
            Self.settings(&$0)
        } _: { harness in
            try await harness.expect(401, request("GET", "/nowhere"))
            try await harness.expect(404, request("GET", "/nowhere", headers: ["Authorization: Bearer token-a"]))
        }
    }

    @Test func `may use an alias with a password`() async throws {
        let log = LogLines()
        try await withReceiver(log: log) {
            Self.settings(&$0)
            $0.auth?.basic = [MemberSettings(name: "pk-lf-1", secret: "sk-lf-1")]
        } _: { harness in
            let key = Data("pk-lf-1:sk-lf-1".utf8).base64EncodedString()
            let path = "/api/public/otel/v1/traces"
            try await harness.expect(200, request("POST", path, headers: ["Authorization: Basic \(key)"], body: [1]))
            #expect(harness.intake.received.first?.source.identity?.name == "pk-lf-1")
            let answer = try await harness.exchange(request("POST", path, headers: ["Authorization: Basic eDp5"]))
            #expect(answer.status == 401)
            #expect(answer.headers["www-authenticate"] == #"Bearer realm="millrace", Basic realm="millrace""#)
        }
        #expect(log.lines("Credentials of requests are not checked.").isEmpty)
    }

    @Test func `is slowed down where it guesses, and taken where its secret cannot be guessed`() async throws {
        let log = LogLines()
        let clock = WallClock { UnixTime(nanoseconds: 1_000_000_000_000) }
        let long = String(repeating: "k", count: Member.safeSecretBytes)
        try await withReceiver(log: log, clock: clock) {
            Self.settings(&$0)
            $0.auth?.bearer.append(MemberSettings(name: "cat", secret: long))
            $0.auth?.basic = [MemberSettings(name: "dan", secret: long)]
        } _: { harness in
            try await harness.expect(200, request(headers: ["Authorization: Bearer token-a"], body: [1]))
            for guess in 0..<GuessLimit.burst {
                try await harness.expect(401, request(headers: ["Authorization: Bearer guess-\(guess)"]))
            }
            let answer = try await harness.exchange(request(headers: ["Authorization: Bearer token-b"]))
            #expect(answer.status == 429 && answer.headers["retry-after"] == "3")
            try await harness.expect(200, request(headers: ["Authorization: Bearer \(long)"], body: [1]))
            let password = Data("dan:\(long)".utf8).base64EncodedString()
            try await harness.expect(200, request(headers: ["Authorization: Basic \(password)"], body: [1]))
            try await harness.expect(429, request(headers: ["Authorization: Bearer \(long)k"]))
            try await harness.expect(200, request(headers: ["Authorization: Bearer token-a"], body: [1]))
        }
        #expect(log.lines("a request is refused").count == 1)
    }

    @Test func `is named in the log once a minute where it sends to an experiment of others`() async throws {
        let log = LogLines()
        let clock = Mutex<UInt64>(1_000_000_000_000)
        let wall = WallClock { UnixTime(nanoseconds: clock.withLock { $0 }) }
        let reason = #"experiment "team-a" is not for "bob"; allowed: team-b"#
        let intake = ScriptedIntake { request in
            request.source.identity?.name == "bob" ? .now(.forbidden(reason)) : .later(.forbidden("other"))
        }
        try await withReceiver(intake, log: log, clock: wall) {
            Self.settings(&$0)
        } _: { harness in
            for _ in 0..<3 {
                try await harness.expect(403, request(headers: ["Authorization: Bearer token-b"], body: [1]))
            }
            try await harness.expect(403, request(headers: ["Authorization: Bearer token-a"], body: [1]))
            clock.withLock { $0 += 61_000_000_000 }
            try await harness.expect(403, request(headers: ["Authorization: Bearer token-b"], body: [1]))
        }
        let what = "a request is refused for its experiment"
        let bob = "identity=bob reason=\(reason) receiver=otlp source=127.0.0.1"
        #expect(
            log.lines(what) == [
                "\(what) \(bob)", "\(what) identity=ann reason=other receiver=otlp source=127.0.0.1",
                "\(what) held_back=2 \(bob)",
            ]
        )
    }
}

@Suite struct `Members in a file` {
    private let directory: TemporaryDirectory
    private let log = LogLines()
    private let meters = Meters()
    private let authenticator: Authenticator
    private let settings: AuthSettings

    init() throws {
        directory = try TemporaryDirectory()
        var settings = AuthSettings()
        settings.bearer = ["one", "two"].map { [directory] in MemberSettings(file: directory.path + "/" + $0) }
        self.settings = settings
        authenticator = Authenticator(settings, receiver: "in", meters: meters, clock: .system, logger: log.logger)
    }

    private func write(_ text: String, to name: String) throws {
        try text.write(toFile: directory.path + "/" + name, atomically: true, encoding: .utf8)
    }

    private func name(_ token: String) -> String? {
        try? authenticator.identify(["Bearer \(token)"], certificate: nil, from: .unknown)?.name
    }

    @Test func `come and go with it, and what is wrong in one file leaves its members as they were`() async throws {
        try write("ann a", to: "one")
        try write("bob b", to: "two")
        let watch = MemberWatch(settings, for: authenticator, receiver: "in", meters: meters, logger: log.logger)
        #expect(name("a") == "ann" && name("b") == "bob")
        watch.look()
        #expect(log.all.isEmpty)

        try write("ann a\ncat", to: "one")
        try write("eve e", to: "two")
        watch.look()
        #expect(name("b") == "bob", "it may be in the middle of being written")
        watch.look()
        watch.look()
        let problem = "members stay as they were, because a file of them is wrong problem=\(directory.path)/one:2: "
        #expect(log.lines(problem).count == 1)
        #expect(log.lines("a member's secret is short problem=\(directory.path)/two:1: ").count == 1)
        #expect(log.all.count == 2)
        #expect(name("a") == "ann" && name("b") == nil && name("e") == "eve")
        #expect(meters.prometheusText().contains("millrace_receiver_member_files_valid{receiver=\"in\"} 0\n"))

        try write("cat c", to: "one")
        watch.look()
        try write("cat c\ndan d", to: "one")
        watch.look()
        #expect(name("a") == "ann" && name("c") == nil, "no two looks found the same")
        watch.look()
        #expect(name("d") == "dan" && name("a") == nil && name("c") == "cat")
        #expect(meters.prometheusText().contains("millrace_receiver_member_files_valid{receiver=\"in\"} 1\n"))

        try FileManager.default.removeItem(atPath: directory.path + "/one")
        watch.look()
        watch.look()
        #expect(name("c") == "cat")
        #expect(!log.all.joined().contains("token-"))
    }

    @Test(arguments: ["empty", "comments", "pipe"])
    func `stay where a file becomes one that has none, until it has some again`(kind: String) throws {
        try write("ann a", to: "one")
        try write(kind == "empty" ? "" : "bob b", to: "two")
        let watch = MemberWatch(settings, for: authenticator, receiver: "in", meters: meters, logger: log.logger)
        let valid = "millrace_receiver_member_files_valid{receiver=\"in\"} "
        #expect(meters.prometheusText().contains(valid + (kind == "empty" ? "0" : "1")))
        let path = directory.path + "/one"
        try FileManager.default.removeItem(atPath: path)
        switch kind {
        case "pipe": #expect(mkfifo(path, 0o600) == 0)
        default: try write(kind == "empty" ? "" : " \n# nobody\n", to: "one")
        }
        for _ in 0..<3 { watch.look() }
        let reason =
            kind == "pipe"
            ? "cannot be read: not a regular file" : "no member; the earlier ones stay until there is one"
        #expect(log.lines("members stay as they were").filter { $0.contains("\(path): \(reason)") }.count == 1)
        #expect(name("a") == "ann" && meters.prometheusText().contains(valid + "0"))
        try FileManager.default.removeItem(atPath: path)
        try write("cat c", to: "one")
        try write("bob b", to: "two")
        for _ in 0..<2 { watch.look() }
        #expect(name("a") == nil && name("c") == "cat" && name("b") == "bob")
        #expect(meters.prometheusText().contains(valid + "1"))
    }

    @Test func `that every look finds changed are warned of once`() throws {
        try write("", to: "two")
        try write("ann a", to: "one")
        let watch = MemberWatch(settings, for: authenticator, receiver: "in", meters: meters, logger: log.logger)
        for look in 0..<2 * MemberWatch.restlessMax {
            try write("bob b\n# \(look)", to: "one")
            watch.look()
        }
        #expect(name("a") == "ann" && log.all.count == 1)
        #expect(log.lines("members stay as they were, because every look finds something else").count == 1)
    }

    @Test func `and secrets that files give to members of the pipeline file are read again`() throws {
        try write("ann-1", to: "secret")
        let path = directory.path + "/secret"
        let secret = Secret("ann-1") {
            let text = try? String(contentsOfFile: path, encoding: .utf8)
            return text?.isEmpty == false ? text : nil
        }
        var settings = AuthSettings()
        settings.bearer = [
            MemberSettings(name: "ann", secret: secret), MemberSettings(name: "bob", secret: Secret("bob-1")),
            MemberSettings(name: "cat", secret: Secret("cat-1") { nil }),
        ]
        let authenticator = Authenticator(
            settings,
            receiver: "in",
            meters: meters,
            clock: .system,
            logger: log.logger
        )
        let watch = MemberWatch(settings, for: authenticator, receiver: "in", meters: meters, logger: log.logger)
        func names() -> [String?] {
            ["ann-1", "ann-2", "bob-1", "cat-1"].map {
                try? authenticator.identify(["Bearer \($0)"], certificate: nil, from: .unknown)?.name
            }
        }
        try write("ann-2", to: "secret")
        watch.look()
        #expect(names() == ["ann", nil, "bob", "cat"])
        watch.look()
        #expect(names() == [nil, "ann", "bob", "cat"])
        #expect(log.lines("members are read again").count == 1)
        try write("", to: "secret")
        for _ in 0..<3 { watch.look() }
        #expect(names() == [nil, "ann", "bob", "cat"])
        let problem = "problem=/bearer/0: the file of its secret cannot be read, is empty, or has what cannot be sent"
        #expect(log.lines("members stay as they were").filter { $0.contains(problem) }.count == 1)
        #expect(meters.prometheusText().contains("millrace_receiver_member_files_valid{receiver=\"in\"} 0\n"))
    }

    @Test(arguments: [
        ("eve b", "two:1: its token stands at DIR/one:1 already; each member needs a token of its own"),
        (
            "ann x team-a",
            "two:1: \"ann\" has other experiments at DIR/one:2; allowed: the same experiments at both places, or another name"
        ),
    ])
    func `that are at odds hold no removal back, and the later entry stays out`(two: String, problem: String) throws {
        try write("ann a\ncat c", to: "one")
        try write("bob b\ndan d", to: "two")
        let watch = MemberWatch(settings, for: authenticator, receiver: "in", meters: meters, logger: log.logger)
        #expect(["a", "b", "c", "d"].map(name) == ["ann", "bob", "cat", "dan"])
        // What is at odds comes with the removal of "cat" in one file and of "dan" in the other.
        try write("bob b\nann a", to: "one")
        try write(two, to: "two")
        watch.look()
        watch.look()
        #expect(["a", "b", "c", "d", "x"].map(name) == ["ann", "bob", nil, nil, nil])
        let text = problem.replacing("DIR", with: directory.path)
        #expect(
            log.lines("a member") == [
                "a member stays out, because it is at odds with another problem=\(directory.path)/\(text) receiver=in"
            ]
        )
        #expect(meters.prometheusText().contains("millrace_receiver_member_files_valid{receiver=\"in\"} 0\n"))
    }
}

@Suite struct `Certificates` {
    private let meters = Meters()
    private let authenticator: Authenticator

    init() {
        var settings = AuthSettings()
        settings.bearer = [MemberSettings(name: "spiffe://a", secret: "t", experiments: ["x"])]
        let logger = LogLines().logger
        authenticator = Authenticator(settings, receiver: "in", meters: meters, clock: .system, logger: logger)
        authenticator.replace(MemberList(settings) { _ in .success([]) }.members)
    }

    @Test func `name the member that sends where nothing else does`() throws {
        let bound = Identity("spiffe://a", experiments: ExperimentList(["x"]))
        #expect(try authenticator.identify([], certificate: "spiffe://a", from: .unknown) == bound)
        #expect(try authenticator.identify(["Bearer t"], certificate: "spiffe://b", from: .unknown) == bound)
        #expect(throws: HTTPError.self) {
            try authenticator.identify(["Bearer x"], certificate: "spiffe://a", from: .unknown)
        }
    }

    @Test(arguments: ["spiffe://b", "spiffe://A", "caf\u{E9}", ""])
    func `of nobody who is a member are refused`(name: String) throws {
        var settings = AuthSettings()
        settings.bearer = [
            MemberSettings(name: "spiffe://a", secret: "t"), MemberSettings(name: "cafe\u{301}", secret: "u"),
        ]
        authenticator.replace(MemberList(settings) { _ in .success([]) }.members)
        let refusal = #expect(throws: HTTPError.self) {
            try authenticator.identify([], certificate: name, from: .unknown)
        }
        #expect(refusal?.status == .unauthorized)
        #expect(refusal?.message.contains("and no member has that name; allowed: ") == true)
        #expect(meters.prometheusText().contains(#"denied_requests_total{reason="certificate",receiver="in"} 1"#))
    }

    @Test func `are refused once their member is taken out, and let in where nobody has to be a member`() throws {
        authenticator.replace([])
        #expect(throws: HTTPError.self) {
            try authenticator.identify([], certificate: "spiffe://a", from: .unknown)
        }
        let open = Authenticator(nil, receiver: "in", meters: Meters(), clock: .system, logger: LogLines().logger)
        #expect(try open.identify([], certificate: "spiffe://b", from: .unknown) == Identity("spiffe://b"))
    }
}

@Suite struct `Experiments asked for by header` {
    @Test(arguments: [("team-a", 200), (" 7 ", 200), ("checkout-eu", 200), ("8", 403), ("team-b", 403), ("", 200)])
    func `are those that the receiver allows`(value: String, status: Int) async throws {
        try await withReceiver {
            $0.allowHeader = ["team-a", "7", "checkout-*"]
        } _: { harness in
            let headers = ["X-MLflow-Experiment-Id: \(value)"]
            let answer = try await harness.exchange(request(headers: headers, body: [1]))
            #expect(answer.status == status)
            #expect(harness.intake.received.count == (status == 200 ? 1 : 0))
            guard status == 403 else { return }
            #expect(statusMessage(answer.body)?.hasSuffix("; allowed: team-a, 7, checkout-*") == true)
        }
    }

    @Test func `are a member's own where exporters send the header along`() async throws {
        try await withReceiver {
            $0.forwardHeaders = ["x-mlflow-experiment-id"]
            $0.auth = AuthSettings()
            $0.auth?.bearer = [MemberSettings(name: "ann", secret: "t", experiments: ["team-a"])]
        } _: { harness in
            for (value, status) in [("team-a", 200), ("team-b", 403)] {
                let headers = ["Authorization: Bearer t", "x-mlflow-experiment-id: \(value)"]
                try await harness.expect(status, request(headers: headers, body: [1]))
            }
        }
    }
}

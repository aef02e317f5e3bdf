import Configuration
import Foundation
import Glibc
import TestKit
import Testing

@Suite struct `Who may send, in the pipeline file` {
    private static let environment = Environment.fixed(
        variables: ["TOKEN": "hunter2-hunter2-hunter2"],
        files: [
            "members": "ann hunter2-hunter2-hunter2\nbob hunter3-hunter3-hunter3 team-b\n", "short": "ann hunter2",
            "empty": "# nobody\n\n",
            "bad": "# c\nhunter2\n", "same": "eve hunter2-hunter2-hunter2",
        ]
    )

    private func problems(_ auth: String) -> [String] {
        let receivers = #"{"in": {"type": "otlp_http", "auth": \#(auth)}}"#
        return ConfigurationTests.problems(
            of: file(["receivers": receivers]),
            in: Self.environment,
            checkingFiles: true
        )
    }

    @Test(arguments: [
        #"{"bearer": [{"token": "${env:TOKEN}", "name": "ann"}]}"#, #"{"bearer": [{"file": "members"}]}"#,
        #"{"basic": [{"username": "u", "password": "pass word pass word 1", "experiments": ["a b", "7", "x-*"]}]}"#,
        #"{"bearer": [{"token": "aaaaaaaaaaaaaaaaaaaa", "name": "ann"}, {"token": "bbbbbbbbbbbbbbbbbbbb", "name": "ann"}]}"#,
    ])
    func `may be said in these ways`(auth: String) throws {
        #expect(problems(auth) == [])
        let receivers = #"{"in": {"type": "otlp_http", "auth": \#(auth)}}"#
        let text = file(["receivers": receivers])
        let file = try PipelineFile(text: Array(text.utf8), name: "f.json", environment: Self.environment)
        #expect(!file.printed.contains("hunter") && !file.printed.contains("pass word"))
        #expect(file.printed.contains("***") || file.printed.contains("members"))
    }

    @Test(arguments: [
        ("{}", "no member; at least one under bearer or basic is needed"),
        (#"{"bearer": []}"#, "no member; at least one under bearer or basic is needed"),
        (#"{"bearer": [{"token": "hunter2"}]}"#, "/bearer/0: no whole member; allowed: name and token, or file"),
        (#"{"basic": [{"username": "u"}]}"#, "/basic/0: no whole member; allowed: username and password, or file"),
        (
            #"{"bearer": [{"file": "members", "name": "u"}]}"#,
            #"/bearer/0: "name" stands beside "file"; allowed: one of them"#
        ),
        (
            #"{"bearer": [{"token": "hunter 2", "name": "u"}]}"#,
            "/bearer/0/token: found ***; allowed: a token of visible"
        ),
        (#"{"bearer": [{"token": "t", "name": "a b"}]}"#, #"/bearer/0/name: found "a b"; allowed: a word of at most"#),
        (
            #"{"bearer": [{"token": "hunter2", "name": "a"}, {"token": "hunter2", "name": "b"}]}"#,
            "/bearer/1: its token stands at /bearer/0 already; each member needs a token of its own"
        ),
        (
            #"{"bearer": [{"token": "t", "name": "a", "experiments": []}]}"#,
            #"/bearer/0: no experiment; leave "experiments" out to allow all"#
        ),
        (
            #"{"bearer": [{"file": "members"}, {"file": "same"}]}"#,
            "/bearer/1: same:1: its token stands at members:1 already; each member needs a token of its own"
        ),
        (
            #"{"bearer": [{"file": "bad"}]}"#,
            "/bearer/0: bad:2: a name without a token; allowed: NAME TOKEN [experiment,…]"
        ),
        (
            #"{"bearer": [{"file": "empty"}], "basic": [{"file": "empty"}]}"#,
            "/bearer/0: empty: no member; at least one is needed"
        ),
        (#"{"bearer": [{"file": "none"}]}"#, "/bearer/0: none: cannot be read: no such file"),
        (#"{"bearer": "hunter2"}"#, "/bearer: found ***; allowed: an array of objects"),
        (#"{"bearer": ["hunter2"]}"#, "/bearer/0: found ***; allowed: an object of settings"),
        (#""hunter2""#, "found ***; allowed: an object of settings"),
    ])
    func `is refused with its place and without its secrets`(auth: String, problem: String) {
        let lines = problems(auth)
        #expect(lines.contains { $0.contains("/receivers/in/auth" + (problem.hasPrefix("/") ? "" : ": ") + problem) })
        #expect(!lines.joined().contains("hunter"))
    }

    @Test(arguments: [
        (#"{"bearer": [{"token": "hunter2", "name": "ann"}]}"#, "bearer/0: warning: the token has fewer than 20 bytes"),
        (#"{"basic": [{"password": "hunter2", "username": "u"}]}"#, "basic/0: warning: the password has fewer than 20"),
        (#"{"bearer": [{"file": "empty"}, {"file": "members"}]}"#, "bearer/0: warning: empty: no member"),
        (#"{"bearer": [{"file": "short"}]}"#, "bearer/0: warning: short:1: the token has fewer than 20 bytes"),
    ])
    func `is warned of where its secret may be guessed, or a file has nobody`(auth: String, warning: String) throws {
        let lines = problems(auth)
        #expect(lines.count == 1 && lines[0].contains("/receivers/in/auth/" + warning))
        #expect(!lines[0].contains("hunter"))
    }

    @Test func `is read from files alone that end`() throws {
        let directory = try TemporaryDirectory()
        let path = directory.path + "/members"
        #expect(mkfifo(path, 0o600) == 0)
        let text = file(["receivers": #"{"in": {"type": "otlp_http", "auth": {"bearer": [{"file": "\#(path)"}]}}}"#])
        let lines = ConfigurationTests.problems(of: text, in: .process, checkingFiles: true)
        #expect(lines.count == 1 && lines[0].hasSuffix("\(path): cannot be read: not a regular file"))
    }

    private static let auth = #""auth": {"bearer": [{"token": "hunter2-hunter2-hunter2", "name": "ann"}]}"#
    private static let route = #"{"route": {"type": "mlflow_experiment", "from": ["auth"]}}"#
    private static let pipelines =
        #"{"traces": {"receivers": ["in"], "processors": ["route"], "exporters": ["out"]}}"#

    @Test(
        arguments: [
            (
                #""listen": "0.0.0.0:4318", \#(auth)"#,
                "auth: warning: clients send their secrets to 0.0.0.0:4318 in plain text"
            ),
            (#""listen": "0.0.0.0:4318", "tls": {"certificate": "c"}, \#(auth)"#, nil),
            (#""listen": "unix:/run/m", \#(auth)"#, nil),
            (#""listen": "[::1]:4318", \#(auth)"#, nil),
            (#""tls": {"certificate": "c", "client_ca": "c"}"#, nil),
            ("", #"processors/0: warning: "route" looks for who sends, which nothing tells"#),
            (
                #""tls": {"certificate": "c", "client_ca": "c"}, "cors": {"origins": ["https://a.example"]}"#,
                "cors: warning: browsers show no certificate"
            ),
        ] as [(String, String?)]
    )
    func `is warned of what makes it worth little`(settings: String, warning: String?) {
        let receiver = #"{"in": {"type": "otlp_http"\#(settings.isEmpty ? "" : ", ")\#(settings)}}"#
        let text = file(["receivers": receiver, "processors": Self.route, "pipelines": Self.pipelines])
        let lines = ConfigurationTests.problems(of: text)
        #expect(lines.count == (warning == nil ? 0 : 1))
        #expect(warning == nil || lines.first?.contains("/" + (warning ?? "")) == true)
    }

    @Test func `the admin token is a secret too`() throws {
        let right = file(["admin": #"{"token": "${env:TOKEN}", "open_metrics": true}"#])
        let printed = try PipelineFile(text: Array(right.utf8), name: "f", environment: Self.environment).printed
        #expect(printed.contains("***") && !printed.contains("hunter2"))
        let wrong = file(["admin": #"{"token": ["hunter2"], "tokn": "hunter2"}"#])
        let lines = ConfigurationTests.problems(of: wrong, in: Self.environment, checkingFiles: true)
        #expect(lines.count == 2 && !lines.joined().contains("hunter2"))
        let short = file(["admin": #"{"token": "hunter2-hunter2"}"#])
        let reason = "the token can be guessed; allowed: at least 16 bytes, as `openssl rand -hex 32` gives them"
        #expect(ConfigurationTests.problems(of: short).map { $0.hasSuffix("/admin/token: \(reason)") } == [true])
    }
}

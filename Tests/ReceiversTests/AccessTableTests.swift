import Admin
import Basics
import Foundation
import Pipeline
import TestKit
import Testing

@testable import Receivers

/// The tables in `pipelines/docs/security.md`: what each listener answers to whom.
///
/// `MILLRACE_RECORD=1` writes them anew, between their marks.
@Suite struct AccessTableTests {
    private static let marks = ("<!-- written by AccessTableTests -->\n", "<!-- until here -->\n")

    @Test func `the document of security says what listeners answer`() async throws {
        let tables = try await AdminTable().text + "\n" + ReceiverTable().text + "\n" + PageTable().text
        let file = Fixtures.directory.appending(path: "../../pipelines/docs/security.md")
        let document = try String(contentsOf: file, encoding: .utf8)
        let head = try #require(document.components(separatedBy: Self.marks.0).first)
        let foot = try #require(document.components(separatedBy: Self.marks.1).last)
        let expected = head + Self.marks.0 + tables + Self.marks.1 + foot
        if ProcessInfo.processInfo.environment["MILLRACE_RECORD"] != nil {
            try expected.write(to: file, atomically: true, encoding: .utf8)
        }
        #expect(try String(contentsOf: file, encoding: .utf8) == expected, "stale: run the test with MILLRACE_RECORD=1")
    }
}

private func row(_ cells: [String]) -> String { "| " + cells.joined(separator: " | ") + " |\n" }

private func header(_ cells: [String]) -> String { row(cells) + row(cells.map { _ in "---" }) }

/// What the admin endpoint answers.
private struct AdminTable {
    private struct Place {
        let name: String
        let listen: ListenAddress
        var opensMetrics = false
    }

    private static let token = AdminToken(text: "seeded-admin-token")
    private static let places = [
        Place(name: "loopback", listen: .tcp(host: "127.0.0.1", port: 0)),
        Place(name: "other address", listen: .tcp(host: "0.0.0.0", port: 0)),
        Place(name: "other address, `open_metrics`", listen: .tcp(host: "0.0.0.0", port: 0), opensMetrics: true),
    ]
    private static let credentials = [
        ("none", [String]()), ("wrong token", ["Authorization: Bearer other"]),
        ("token", ["Authorization: Bearer \(token.text)"]),
        ("token, of a web page", ["Authorization: Bearer \(token.text)", "Origin: http://evil.example"]),
        ("token, `Host` of a web page", ["Authorization: Bearer \(token.text)", "Host: evil.example"]),
    ]
    private static let requests = [
        ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"), ("GET", "/ledger"), ("GET", "/"),
        ("POST", "/ledger"), ("GET", "/dead-letters/list"), ("GET", "/dead-letters/show"),
        ("POST", "/dead-letters/replay"), ("POST", "/dead-letters/purge"), ("GET", "/dead-letters/purge"),
        ("GET", "/console/app.js"), ("GET", "/api/status"), ("POST", "/api/destinations/pause"), ("GET", "/nowhere"),
    ]

    var text: String {
        get async throws {
            var text = header(["admin endpoint on", "request"] + Self.credentials.map(\.0))
            for place in Self.places {
                for (method, path) in Self.requests {
                    var cells = [place.name, "`\(method) \(path)`"]
                    for (_, lines) in Self.credentials {
                        cells.append(try await status(method, path, lines, at: place))
                    }
                    text += row(cells)
                }
            }
            return text
        }
    }

    private func status(_ method: String, _ path: String, _ lines: [String], at place: Place) async throws -> String {
        let endpoint = AdminEndpoint(
            listen: place.listen,
            source: EmptySource(),
            token: Self.token,
            opensMetrics: place.opensMetrics,
            logger: LogLines().logger
        )
        try await endpoint.start()
        guard case .tcp(_, let port) = endpoint.boundAddress else { return "" }
        let connection = try RawConnection(to: .tcp(host: "127.0.0.1", port: port))
        await connection.send(request(method, path, type: nil, headers: lines))
        let answer = await connection.receive()
        await endpoint.close()
        return "\(answer?.status ?? 0)"
    }
}

private struct EmptySource: AdminSource {
    let unreadyReasons: [String] = []
    let ledgerJSON: [UInt8] = []
    let metricsText = ""
    let statusJSON: [UInt8] = []
    let servicesJSON: [UInt8] = []
    let configurationJSON: [UInt8] = []
    func set(paused isPaused: Bool, _ destination: ConsoleDestination) -> DeadLetterOffice.Answer { .done([]) }
    func tail(_ wish: TailWish) -> any AdminTail { EmptyTail() }
    func answer(_ request: TailRequest) async -> DeadLetterOffice.Answer { .done([]) }
    func answer(trace id: String) async -> DeadLetterOffice.Answer { .done([]) }
    func answer(_ request: DeadLetterOffice.Request) async -> DeadLetterOffice.Answer { .done([]) }
    func reload(_ request: ReloadRequest) async -> ReloadAnswer { ReloadAnswer() }
}

private struct EmptyTail: AdminTail {
    func take() -> [UInt8]? { nil }
    func leave() {}
}

/// What a receiver answers.
private struct ReceiverTable {
    private static let credentials = [
        ("none", [String]()), ("wrong token", ["Authorization: Bearer other"]),
        ("member's token", ["Authorization: Bearer token-a"]),
        ("member's password", ["Authorization: Basic dTpw"]),
        ("token of another scheme", ["Authorization: Basic token-a"]),
    ]
    private static let requests = [
        ("POST", "/v1/traces", [String]()), ("POST", "/api/public/otel/v1/traces", []), ("GET", "/v1/traces", []),
        ("POST", "/nowhere", []), ("POST", "/v1/traces", ["x-mlflow-experiment-id: 8"]),
        ("POST", "/v1/traces", ["Host: evil.example"]),
    ]

    var text: String {
        get async throws {
            var text = header(["receiver", "request"] + Self.credentials.map(\.0))
            for hasAuth in [false, true] {
                try await withReceiver { settings in
                    settings.allowHeader = ["7"]
                    guard hasAuth else { return }
                    settings.auth = AuthSettings()
                    settings.auth?.bearer = [MemberSettings(name: "a", secret: "token-a")]
                    settings.auth?.basic = [MemberSettings(name: "u", secret: "p")]
                } _: { harness in
                    for (method, path, lines) in Self.requests {
                        let what = ["`\(method) \(path)`"] + lines.map { "`\($0)`" }
                        var cells = [hasAuth ? "with `auth`" : "without", what.joined(separator: ", ")]
                        for (_, shown) in Self.credentials {
                            let bytes = request(method, path, headers: lines + shown, body: [1])
                            cells.append("\(try await harness.exchange(bytes).status)")
                        }
                        text += row(cells)
                    }
                }
            }
            return text
        }
    }
}

/// What a receiver answers to browsers.
private struct PageTable {
    private static let senders = [
        ("no page", [String]()), ("page of an allowed origin", ["Origin: https://app.example.com"]),
        ("page of another origin", ["Origin: https://evil.example"]),
    ]
    private static let requests = [
        ("preflight", "OPTIONS", ["Access-Control-Request-Method: POST"]),
        ("JSON", "POST", ["Content-Type: application/json"]), ("text", "POST", ["Content-Type: text/plain"]),
    ]
    private static let receivers = [(false, false), (true, false), (true, true)]

    var text: String {
        get async throws {
            var text = header(["receiver", "request without credentials"] + Self.senders.map(\.0))
            for (hasCORS, hasAuth) in Self.receivers {
                try await withReceiver { settings in
                    if hasAuth {
                        settings.auth = AuthSettings()
                        settings.auth?.bearer = [MemberSettings(name: "a", secret: "token-a")]
                    }
                    guard hasCORS else { return }
                    settings.cors = CORSSettings()
                    settings.cors?.origins = ["https://app.example.com"]
                } _: { harness in
                    let name = hasCORS ? hasAuth ? "with `cors` and `auth`" : "with `cors`" : "without"
                    for (what, method, lines) in Self.requests {
                        var cells = [name, "`\(method) /v1/traces`, \(what)"]
                        for (_, origin) in Self.senders {
                            let body: [UInt8] = method == "POST" ? [1] : []
                            let bytes = request(method, "/v1/traces", type: nil, headers: lines + origin, body: body)
                            cells.append("\(try await harness.exchange(bytes, hasBody: method == "POST").status)")
                        }
                        text += row(cells)
                    }
                }
            }
            return text
        }
    }
}

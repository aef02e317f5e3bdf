import Basics
import Settings
import Testing

@testable import Configuration

/// What a running process can take of another pipeline file, told by the two files.
@Suite struct ReloadCheckTests {
    private static let sections = [
        "receivers": #"{"in": {"type": "otlp_http"}, "grpc": {"type": "otlp_grpc", "listen": "127.0.0.1:4317"}}"#,
        "processors": #"{"route": {"type": "mlflow_experiment"}, "whole": {"type": "assemble"}}"#,
        "exporters": #"{"out": {"type": "console"}, "far": {"type": "otlp_http", "endpoint": "http://far:4318"}}"#,
        "pipelines": #"""
        {"traces": {"receivers": ["in", "grpc"], "processors": ["route"], "exporters": ["out", "far"]},
         "windowed": {"receivers": ["in"], "processors": ["whole"], "exporters": ["out"]}}
        """#,
        "journal": #"{"directory": "here"}"#,
    ]

    private static func file(_ changes: [String: String] = [:]) throws -> PipelineFile {
        let all = sections.merging(changes) { $1 }.sorted { $0.key < $1.key }
        let text = "{" + all.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ",\n") + "}"
        return try PipelineFile(text: Array(text.utf8), name: "f.json", environment: .empty)
    }

    @Test(arguments: [
        ["processors": #"{"route": {"type": "mlflow_experiment", "default": "X"}, "whole": {"type": "assemble"}}"#],
        [
            "receivers":
                #"{"in": {"type": "otlp_http", "max_body": "1MiB", "aliases": ["/x"]}, "grpc": {"type": "otlp_grpc", "listen": "127.0.0.1:4317"}}"#
        ],
        [
            "receivers":
                #"{"in": {"type": "otlp_http", "listen": "127.0.0.1:5318"}, "grpc": {"type": "otlp_grpc", "listen": "127.0.0.1:4317"}}"#
        ],
        [
            "receivers": #"{"in": {"type": "otlp_http"}}"#,
            "pipelines":
                #"{"traces": {"receivers": ["in"], "exporters": ["out"]}, "windowed": {"receivers": ["in"], "processors": ["whole"], "exporters": ["out"]}}"#,
        ],
        [
            "exporters":
                #"{"out": {"type": "console"}, "far": {"type": "otlp_http", "endpoint": "http://other:4318", "headers": {"a": "b"}}}"#
        ],
        ["journal": #"{"directory": "here", "max_bytes": "1GiB", "retain": "1h", "max_age": "2h"}"#],
        ["journal": #"{"directory": "here", "storage": "disk", "sync": "batch"}"#],
        ["log": #"{"level": "debug"}"#], ["memory_limit": #""300MiB""#], ["drain_timeout": #""1s""#],
        ["admin": #"{"token": "0123456789abcdef", "open_metrics": true}"#],
    ])
    func `what can change is taken`(changes: [String: String]) throws {
        #expect(ReloadCheck(from: try Self.file(), to: try Self.file(changes)).lines == [])
    }

    @Test(arguments: [
        (["journal": #"{"directory": "elsewhere"}"#], "/journal/directory", "needs a restart"),
        (["journal": #"{"directory": "here", "storage": "memory"}"#], "/journal/storage", "needs a restart"),
        (["journal": #"{"directory": "here", "sync": "never"}"#], "/journal/sync", "with a restart"),
        (["admin": #"{"listen": "127.0.0.1:1234"}"#], "/admin/listen", "with a restart"),
        (["telemetry": #"{"to": "far"}"#], "/telemetry", "with a restart"),
        (
            [
                "exporters":
                    #"{"out": {"type": "discard"}, "far": {"type": "otlp_http", "endpoint": "http://far:4318"}}"#
            ],
            "/exporters/out/type", "was of type \"console\""
        ),
        (
            ["processors": #"{"route": {"type": "mlflow_experiment"}, "whole": {"type": "assemble", "wait": "5s"}}"#],
            "/processors/whole", "how long it waits"
        ),
        (
            [
                "pipelines": #"{"traces": {"receivers": ["in", "grpc"], "exporters": ["out", "far"]}}"#,
                "processors": "{}",
            ],
            "/pipelines", "the window of windowed"
        ),
        (
            [
                "pipelines":
                    #"{"traces": {"receivers": ["in", "grpc"], "processors": ["route"], "exporters": ["out", "far"]}, "windowed": {"receivers": ["in"], "exporters": ["out"]}}"#,
                "processors": #"{"route": {"type": "mlflow_experiment"}}"#,
            ],
            "/pipelines/windowed/processors", "only with a restart"
        ),
        (
            ["receivers": #"{"in": {"type": "otlp_http"}, "grpc": {"type": "otlp_grpc", "listen": "127.0.0.1:4318"}}"#],
            "/receivers/in/listen", "where /receivers/in listens now"
        ),
        (
            [
                "receivers":
                    #"{"in": {"type": "otlp_http", "listen": "127.0.0.1:4317"}, "grpc": {"type": "otlp_grpc", "listen": "127.0.0.1:4318"}}"#
            ],
            "/receivers/in/listen", "where /receivers/grpc listens now"
        ),
    ])
    func `what needs a restart is refused with its place`(
        changes: [String: String],
        place: String,
        words: String
    ) throws {
        let lines = ReloadCheck(from: try Self.file(), to: try Self.file(changes)).lines
        #expect(lines.contains { $0.contains(": \(place): ") && $0.contains(words) }, "\(lines)")
        #expect(lines.allSatisfy { $0.hasPrefix("f.json:") })
    }

    @Test func `a component is the same whatever the order of its settings, and another with another secret`() throws {
        func exporter(_ settings: String, _ token: String = "a") throws -> PipelineFile {
            let environment = Environment(
                variable: { _ in token },
                file: { _ in .failure(FileReadError(reason: "none")) }
            )
            let text = """
                {"receivers": {"in": {"type": "otlp_http"}}, "exporters": {"out": {\(settings)}},
                 "pipelines": {"traces": {"receivers": ["in"], "exporters": ["out"]}}}
                """
            return try PipelineFile(text: Array(text.utf8), name: "f.json", environment: environment)
        }
        let text = #""type": "otlp_http", "endpoint": "http://a", "headers": {"x-key": "${env:KEY}", "b": "c"}"#
        let turned = #""headers": {"b": "c", "x-key": "${env:KEY}"}, "endpoint": "http://a", "type": "otlp_http""#
        let known = try exporter(text).exporters[0]
        #expect(try exporter(turned).exporters[0].isSet(as: known))
        #expect(try !exporter(text, "b").exporters[0].isSet(as: known))
    }
}

import Testing

@testable import Configuration

/// Files whose exporters send to receivers of the same file.
@Suite struct LoopTests {
    private static let receivers = #"""
        {"in": {"type": "otlp_http", "listen": "127.0.0.1:14318"}, "grpc": {"type": "otlp_grpc", "listen": "0.0.0.0:14317"},
         "file": {"type": "otlp_http", "listen": "unix:/run/in.sock"}}
        """#

    private func loops(_ exporters: String, _ pipelines: String) -> [String] {
        let all = problems(of: file(["receivers": Self.receivers, "exporters": exporters, "pipelines": pipelines]))
        return all.filter { !$0.contains("no pipeline uses it") }
    }

    @Test(arguments: [
        ("otlp_http", "endpoint", "http://127.0.0.1:14318", "in"),
        ("otlp_http", "endpoint", "http://localhost:14318/base", "in"),
        ("otlp_http", "traces_endpoint", "http://localhost:14318/v1/traces", "in"),
        ("otlp_http", "endpoint", "unix:/run/in.sock", "file"),
        ("otlp_grpc", "endpoint", "http://127.0.0.1:14317", "grpc"),
        ("otlp_http", "metrics_endpoint", "http://127.0.0.1:14318/v1/metrics", nil),
        ("otlp_http", "endpoint", "http://127.0.0.1:4318", nil),
        ("otlp_http", "endpoint", "http://127.0.0.1:14317", nil),
        ("otlp_grpc", "endpoint", "http://127.0.0.1:14318", nil),
        ("otlp_http", "endpoint", "http://gateway:14318", nil),
    ])
    func `an exporter does not send to a receiver that it is fed from`(
        type: String,
        setting: String,
        endpoint: String,
        receiver: String?
    ) {
        let others = setting == "metrics_endpoint" ? #", "traces_endpoint": "http://elsewhere/v1/traces""# : ""
        let lines = loops(
            #"{"out": {"type": "\#(type)", "\#(setting)": "\#(endpoint)"\#(others)}}"#,
            #"{"t": {"receivers": ["in", "grpc", "file"], "exporters": ["out"]}}"#
        )
        guard let receiver else { return #expect(lines == []) }
        let what =
            "/exporters/out/\(setting): it is the address of /receivers/\(receiver), from which traces come back here"
        #expect(lines.count == 1 && lines[0].contains(what), "\(lines)")
    }

    @Test(arguments: [("last", []), ("first", ["/exporters/first/endpoint", "/exporters/second/endpoint"])])
    func `a chain of pipelines is allowed, a circle of them is not`(end: String, places: [String]) {
        let exporters = #"""
            {"first": {"type": "otlp_grpc", "endpoint": "http://localhost:14317"},
             "second": {"type": "otlp_http", "endpoint": "unix:/run/in.sock"}, "last": {"type": "console"}}
            """#
        let pipelines = #"""
            {"a": {"receivers": ["in"], "exporters": ["first"]}, "b": {"receivers": ["grpc"], "exporters": ["second"]},
             "c": {"receivers": ["file"], "exporters": ["\#(end)"]},
             "metrics": {"receivers": ["file"], "exporters": ["first", "last"], "signals": ["metrics"]}}
            """#
        let lines = loops(exporters, pipelines)
        #expect(lines.count == places.count && zip(lines, places).allSatisfy { $0.contains($1) }, "\(lines)")
    }
}

import Pipeline
import Settings
import Testing

@testable import Configuration

/// What only shows when the parts of a file are seen together.
@Suite struct CrossCheckTests {
    private static let batches = #"{"a": {"type": "batch"}, "b": {"type": "batch"}, "map": {"type": "mlflow_map"}}"#

    @Test func `batch stands once`() {
        let pipelines = #"{"t": {"receivers": ["in"], "processors": ["a", "map", "b"], "exporters": ["out"]}}"#
        let lines = problems(of: file(["processors": Self.batches, "pipelines": pipelines]))
        #expect(lines == [#"f.json:5:69: /pipelines/t/processors/2: "b" is a second "batch"; one is allowed"#])
    }

    @Test func `a processor of single spans comes before one of whole traces`() {
        let processors = #"{"tail": {"type": "tail_sample"}, "map": {"type": "mlflow_map"}}"#
        let pipelines = #"{"t": {"receivers": ["in"], "processors": ["tail", "map"], "exporters": ["out"]}}"#
        let lines = problems(of: file(["processors": processors, "pipelines": pipelines]))
        let order = #"it works on single spans and comes before "tail", which works on traces"#
        #expect(lines.last == #"f.json:5:65: /pipelines/t/processors/1: "map" stands too late: "# + order)
        #expect(lines.count == 2)
    }

    @Test(arguments: [
        (#"["whole", "map"]"#, #"1: "map" stands too late"#),
        (#"["whole", "late"]"#, #"1: "late" works on traces, as "whole" before it does"#),
        (#"["out"]"#, #"0: "out" is the name of an exporter of the pipeline, too"#),
        (#"["map", "whole", "route", "batch"]"#, nil),
    ])
    func `a window stands once, behind what works on single spans and under a name of its own`(
        names: String,
        problem: String?
    ) {
        let processors = #"""
            {"map": {"type": "mlflow_map"}, "route": {"type": "mlflow_experiment"}, "batch": {"type": "batch"},
             "whole": {"type": "assemble"}, "late": {"type": "assemble"}, "out": {"type": "assemble"}}
            """#
        let pipelines = #"{"t": {"receivers": ["in"], "processors": \#(names), "exporters": ["out"]}}"#
        let all = problems(of: file(["processors": processors, "pipelines": pipelines]))
        let lines = all.filter { !$0.contains("no pipeline uses it") }
        #expect(lines.count == (problem == nil ? 0 : 1), "\(lines)")
        if let problem { #expect(lines.first?.contains("/pipelines/t/processors/" + problem) == true, "\(lines)") }
    }

    @Test(arguments: [true, false])
    func `a window that joins log records is somebody who takes them`(joins: Bool) {
        let processors = #"{"whole": {"type": "assemble", "join_log_events": \#(joins)}}"#
        let pipelines = #"""
            {"t": {"receivers": ["in"], "processors": ["whole"], "exporters": ["out"], "signals": ["traces", "logs"]}}
            """#
        let exporters = #"{"out": {"type": "mlflow", "endpoint": "http://127.0.0.1:5000"}}"#
        let lines = problems(of: file(["processors": processors, "pipelines": pipelines, "exporters": exporters]))
        #expect(lines.contains { $0.contains("they would go nowhere") } != joins, "\(lines)")
    }

    @Test(arguments: [
        ("127.0.0.1:4318", "127.0.0.1:4318", true),
        ("127.0.0.1:4318", "0.0.0.0:4318", true),
        ("127.0.0.1:4318", "127.0.0.1:4319", false),
        ("127.0.0.1:0", "127.0.0.1:0", false),
        ("[::1]:4318", "127.0.0.1:4318", false),
        ("unix:/run/a.sock", "unix:/run/a.sock", true),
        ("unix:/run/a.sock", "unix:/run/b.sock", false),
        ("127.0.0.1:13133", "127.0.0.1:4318", true),
    ])
    func `two servers need two addresses`(first: String, second: String, clashes: Bool) {
        let receivers = #"""
            {"a": {"type": "otlp_http", "listen": "\#(first)"}, "b": {"type": "otlp_http", "listen": "\#(second)"}}
            """#
        let pipelines = #"{"t": {"receivers": ["a", "b"], "exporters": ["out"]}}"#
        let lines = problems(of: file(["receivers": receivers, "pipelines": pipelines]))
        #expect(lines.contains { $0.contains("needs an address of its own") } == clashes)
        #expect(lines.count == (clashes ? 1 : 0))
    }

    @Test(arguments: [
        ("journal", nil),
        ("out", nil),
        ("log", #"/answer_after: "log" is no exporter of a pipeline that reads the receiver; allowed: journal, out"#),
        ("our", #"allowed: journal, out; did you mean "out"?"#),
        ("mlflow", #""mlflow" takes none of the signals that the receiver's pipelines give it; allowed: journal, out"#),
    ])
    func `clients wait for an exporter that gets what they send`(name: String, problem: String?) {
        let exporters = #"""
            {"out": {"type": "console"}, "mlflow": {"type": "mlflow", "endpoint": "http://a"}, "log": {"type": "console"}}
            """#
        let receivers = #"{"in": {"type": "otlp_http", "answer_after": "\#(name)"}, "b": {"type": "otlp_grpc"}}"#
        let pipelines = #"""
            {"a": {"receivers": ["in"], "exporters": ["out", "mlflow"], "signals": ["logs"]},
             "b": {"receivers": ["b"], "exporters": ["log", "mlflow"]}}
            """#
        let all = problems(of: file(["exporters": exporters, "receivers": receivers, "pipelines": pipelines]))
        let lines = all.filter { $0.contains("/receivers/in/") }
        #expect(lines.count == (problem == nil ? 0 : 1), "\(all)")
        if let problem { #expect(lines.first?.contains(problem) == true, "\(lines)") }
    }

    @Test func `clients cannot wait behind a window`() {
        let processors = #"{"tail": {"type": "tail_sample"}}"#
        let pipelines = #"{"t": {"receivers": ["in"], "processors": ["tail"], "exporters": ["out"]}}"#
        let receivers = #"{"in": {"type": "otlp_grpc", "answer_after": "out"}}"#
        let all = problems(of: file(["receivers": receivers, "processors": processors, "pipelines": pipelines]))
        let problem = #"/receivers/in/answer_after: "out" stands behind a window: "tail" holds traces back"#
        #expect(all.contains { $0.contains(problem) }, "\(all)")
    }

    @Test func `the admin endpoint's name is its own`() {
        let receivers = #"{"admin": {"type": "otlp_http", "listen": "127.0.0.1:1"}}"#
        let lines = problems(
            of: file(["receivers": receivers, "pipelines": #"{"t": {"receivers": ["admin"], "exporters": ["out"]}}"#])
        )
        #expect(lines.count == 1)
        #expect(lines.first?.contains("/receivers/admin: the name is the admin endpoint's") == true, "\(lines)")
    }

    @Test(arguments: [
        "127.0.0.1", "127.0.0.1:99999", ":4318", "::1:4318", "[::1]", "unix:", "127.0.0.1:", "a:-1", "a:+1",
    ])
    func `an address that nobody can listen at is refused`(address: String) {
        let lines = problems(of: file(["receivers": #"{"in": {"type": "otlp_http", "listen": "\#(address)"}}"#]))
        #expect(lines.count == 1)
        #expect(lines.first?.contains("/receivers/in/listen: found \"\(address)\"; allowed: an address") == true)
    }

    @Test(arguments: ["one", "./one"]) func `a file is outside of the journal`(path: String) {
        let exporters = #"{"a": {"type": "file", "path": "\#(path)"}}"#
        let more = ["exporters": exporters, "journal": #"{"directory": "jj"}"#]
        #expect(problems(of: file(more)).filter { $0.contains("inside of the journal") }.isEmpty)
        let inside = more.merging(["exporters": exporters.replacing(path, with: "z/../jj/\(path)")]) { $1 }
        let problem = "/path: the file is inside of the journal's directory, jj"
        #expect(problems(of: file(inside)).contains { $0.contains(problem) })
    }

    @Test(arguments: ["x", "./x", "y/../x"]) func `two exporters do not write one file`(path: String) {
        let exporters = #"{"a": {"type": "file", "path": "x"}, "b": {"type": "file", "path": "\#(path)"}}"#
        let pipelines = #"{"t": {"receivers": ["in"], "exporters": ["a", "b"]}}"#
        let lines = problems(of: file(["exporters": exporters, "pipelines": pipelines]))
        #expect(lines == ["f.json:3:81: /exporters/b/path: /exporters/a writes the same file; each needs its own"])
    }

    @Test func `a body that could never be held is refused beforehand`() {
        let lines = problems(of: file(["memory_limit": "\"64MiB\""]))
        let limits = "allowed: at most 48MiB, three quarters of memory_limit (64MiB)"
        #expect(
            lines == ["f.json:2:21: /receivers/in/max_body: 64MiB is more than receivers may hold at once; \(limits)"]
        )
    }

    @Test(arguments: [
        "authorization", "Cookie", "x-api-key", "X-Auth-Token", "proxy-authorization", "x_secret", "api_key",
        "x-amz-security-token", "x-basic-auth",
    ])
    func `a header that holds a secret is forwarded only where the file says so`(name: String) {
        func receivers(_ more: String) -> String {
            #"{"in": {"type": "otlp_http", "forward_headers": ["x-tenant", "\#(name)"]\#(more)}}"#
        }
        let reason = "is likely to hold a secret, and the journal and the dead letters would keep it in plain text"
        let allowed = #"allowed: other headers, or "forward_secrets": true"#
        let expected = #"f.json:2:75: /receivers/in/forward_headers/1: "\#(name)" \#(reason); \#(allowed)"#
        #expect(problems(of: file(["receivers": receivers("")])) == [expected])
        #expect(problems(of: file(["receivers": receivers(#", "forward_secrets": true"#)])).isEmpty)
    }

    @Test func `an exporter restores the experiments of its pipelines and no others`() throws {
        let text = """
            {"receivers": {"in": {"type": "otlp_http"}},
             "processors": {
                "a": {"type": "mlflow_experiment", "map": {"shop*": "Sales", "x": "42"}, "default": "Rest"},
                "b": {"type": "mlflow_experiment", "default": "7"},
                "c": {"type": "mlflow_experiment", "map": {"z": "Else"}}},
             "exporters": {"out": {"type": "mlflow", "endpoint": "http://m"}, "other": {"type": "console"}},
             "pipelines": {
                "first": {"receivers": ["in"], "processors": ["a"], "exporters": ["out"]},
                "second": {"receivers": ["in"], "processors": ["b"], "exporters": ["out"]},
                "third": {"receivers": ["in"], "processors": ["c"], "exporters": ["other"]}}}
            """
        let file = try PipelineFile(text: Array(text.utf8), name: "f.json", environment: .empty)
        #expect(
            file.routing(before: "out").named == [
                .experimentName("Sales"), .experimentID("42"), .experimentName("Rest"), .experimentID("7"),
            ]
        )
    }

    @Test func `a component that no pipeline uses is a warning`() throws {
        let text = file(["processors": #"{"map": {"type": "mlflow_map"}}"#])
        let file = try PipelineFile(text: Array(text.utf8), name: "f.json", environment: .empty)
        #expect(file.warnings == ["f.json:3:16: /processors/map: warning: no pipeline uses it"])
    }

    @Test(arguments: [("2GiB", true), ("3GiB", false)])
    func `a backlog is within what the journal holds`(size: String, isAllowed: Bool) {
        let out = #"{"out": {"type": "console", "backlog": {"max_bytes": "\#(size)"}}}"#
        let lines = problems(of: file(["exporters": out]))
        let what = "3GiB can never wait, because the journal holds less"
        let allowed = "max_bytes of at most that of the journal (2GiB)"
        #expect(lines == (isAllowed ? [] : ["f.json:3:67: /exporters/out/backlog: \(what); allowed: \(allowed)"]))
    }
}

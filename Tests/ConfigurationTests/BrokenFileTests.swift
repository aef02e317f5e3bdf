import Configuration
import Testing

/// What a file is told that cannot be used; the lines are exactly what an operator sees.
@Suite struct BrokenFileTests {
    @Test(arguments: [
        ("", "f.json:1:1: /: no valid JSON: the text ends too early"),
        ("{\n  \"receivers\": {},\n}", "f.json:3:1: /: no valid JSON: a member's name in quotes is expected"),
        ("{\"é\" 1}", "f.json:1:6: /: no valid JSON: a colon is expected after a member's name"),
        ("[]", "f.json:1:1: /: found an array; allowed: an object of settings"),
    ])
    func `what is no JSON object is refused at its place`(text: String, line: String) {
        #expect(problems(of: text) == [line])
    }

    @Test(arguments: [
        (
            ["recievers": "{}"],
            #"f.json:5:1: /recievers: unknown setting "recievers"; allowed: $schema, receivers, processors, exporters, pipelines, journal, admin, log, telemetry, drain_timeout, memory_limit, request_cost, tests; did you mean "receivers"?"#
        ),
        (
            ["log": #"{"level": "info", "level": "debug"}"#],
            #"f.json:5:26: /log/level: "level" stands here a second time; a name may stand once"#
        ),
        (
            ["log": #"{"level": "inf"}"#],
            #"f.json:5:18: /log/level: found "inf"; allowed: "trace", "debug", "info", "notice", "warning", "error", "critical"; did you mean "info"?"#
        ),
        (
            ["memory_limit": "268435456"],
            #"f.json:5:17: /memory_limit: found the number 268435456; allowed: a size with a unit, such as "512KiB", "64MiB" or "2GiB", at least "16MiB""#
        ),
        (
            ["memory_limit": "\"1MiB\""],
            #"f.json:5:17: /memory_limit: found "1MiB"; allowed: a size with a unit, such as "512KiB", "64MiB" or "2GiB", at least "16MiB""#
        ),
        (
            ["drain_timeout": "5"],
            #"f.json:5:18: /drain_timeout: found the number 5; allowed: a duration with a unit, such as "200ms", "30s", "10m" or "24h", at most "1h""#
        ),
        (
            ["drain_timeout": "\"5 s\""],
            #"f.json:5:18: /drain_timeout: found "5 s"; allowed: a duration with a unit, such as "200ms", "30s", "10m" or "24h", at most "1h""#
        ),
        (
            ["journal": #"{"sync": "always"}"#],
            #"f.json:5:21: /journal/sync: found "always"; allowed: "batch", "never", or a duration with a unit such as "100ms""#
        ),
        (["admin": "true"], #"f.json:5:10: /admin: found true; allowed: an object of settings"#),
        (["admin": "null"], #"f.json:5:10: /admin: found null; allowed: an object of settings"#),
        (
            ["a/b~c": "1"],
            #"f.json:5:1: /a~1b~0c: unknown setting "a/b~c"; allowed: $schema, receivers, processors, exporters, pipelines, journal, admin, log, telemetry, drain_timeout, memory_limit, request_cost, tests"#
        ),
    ])
    func `a wrong setting is named with its place and what is allowed`(members: [String: String], line: String) {
        #expect(problems(of: file(members)) == [line])
    }

    @Test(arguments: [
        (
            "receivers", #"{"in": {"type": "otlp_htp"}}"#,
            #"f.json:2:30: /receivers/in/type: found "otlp_htp"; allowed: "otlp_http", "otlp_grpc", "jetstream", "otlp_file"; did you mean "otlp_http"?"#
        ),
        (
            "receivers", #"{"in": {}}"#,
            #"f.json:2:21: /receivers/in: "type" is missing; allowed: "otlp_http", "otlp_grpc", "jetstream", "otlp_file""#
        ),
        (
            "receivers", #"{"in": "otlp_http"}"#,
            #"f.json:2:21: /receivers/in: found "otlp_http"; allowed: an object with a "type""#
        ),
        (
            "receivers", #"{"in": {"type": "otlp_http", "max_connections": 0}}"#,
            "f.json:2:62: /receivers/in/max_connections: found the number 0; allowed: a whole number from 1 to 1000000"
        ),
        (
            "receivers", #"{"in": {"type": "otlp_http", "max_connections": 1.5}}"#,
            "f.json:2:62: /receivers/in/max_connections: found the number 1.5; allowed: a whole number from 1 to 1000000"
        ),
        (
            "receivers", #"{"in": {"type": "otlp_http", "aliases": ["/a", "/v1/logs"]}}"#,
            #"f.json:2:54: /receivers/in: "/v1/logs" is the path of a signal already; allowed: a path of its own"#
        ),
        (
            "receivers", #"{"in": {"type": "otlp_http", "hosts": ["a_b.example.", "[fd00::1]", "a.example:4318"]}}"#,
            #"f.json:2:82: /receivers/in/hosts/2: found "a.example:4318"; allowed: a host name, or an IPv6 address in brackets, without scheme, port, path and wildcards, such as "otlp.example.com""#
        ),
        (
            "receivers", #"{"in": {"type": "otlp_http", "hosts": ["*"]}}"#,
            #"f.json:2:53: /receivers/in/hosts/0: found "*"; allowed: a host name, or an IPv6 address in brackets, without scheme, port, path and wildcards, such as "otlp.example.com""#
        ),
        (
            "receivers", #"{"in": {"type": "otlp_http", "hosts": ["https://a.example"]}}"#,
            #"f.json:2:53: /receivers/in/hosts/0: found "https://a.example"; allowed: a host name, or an IPv6 address in brackets, without scheme, port, path and wildcards, such as "otlp.example.com""#
        ),
        (
            "receivers", #"{"in": {"type": "otlp_http", "cors": {}}}"#,
            #"f.json:2:51: /receivers/in/cors: "origins" is missing; allowed: an array, each element scheme://host[:port] in lower case without default port, path or slash at the end, such as "https://app.example.com" or "https://*.example.com"; "null"; "*""#
        ),
        (
            "receivers", #"{"in": {"type": "otlp_http", "cors": {"origins": []}}}"#,
            #"f.json:2:63: /receivers/in/cors: no origin; leave "cors" out to allow none"#
        ),
        (
            "receivers", #"{"in": {"type": "otlp_http", "cors": {"origins": ["https://App.example.com:443/"]}}}"#,
            #"f.json:2:64: /receivers/in/cors/origins/0: found "https://App.example.com:443/"; allowed: scheme://host[:port] in lower case without default port, path or slash at the end, such as "https://app.example.com" or "https://*.example.com"; "null"; "*"; did you mean "https://app.example.com"?"#
        ),
        (
            "receivers", #"{"in": {"type": "otlp_http", "cors": {"origins": ["https://*example.com"]}}}"#,
            #"f.json:2:64: /receivers/in/cors/origins/0: "https://*example.com" matches hosts of others, too; allowed: wildcards before the last two parts of a host, as in "https://*.example.com" or "https://pr-*.example.com"; "https://*""#
        ),
        (
            "receivers", #"{"in": {"type": "otlp_http", "cors": {"origins": ["*"], "headers": ["*"]}}}"#,
            #"f.json:2:81: /receivers/in/cors: found "*"; allowed: names of headers, each written out"#
        ),
        (
            "exporters", #"{"out": {"type": "mlflow"}}"#,
            #"f.json:3:22: /exporters/out: "endpoint" is missing; allowed: an address such as "http://127.0.0.1:5000", "https://host/base" or "unix:/run/name.sock", without user, query or fragment"#
        ),
        (
            "exporters", #"{"out": {"type": "console", "retry": {"initial": "2m", "max": "1m"}}}"#,
            #"f.json:3:51: /exporters/out/retry: "initial" is longer than "max""#
        ),
        (
            "exporters", #"{"out": {"type": "mlflow", "headers": {"content-type": "x"}, "endpoint": "http://m"}}"#,
            #"f.json:3:53: /exporters/out/headers/content-type: found "content-type"; allowed: the name of an HTTP header that the exporter does not set itself"#
        ),
        (
            "exporters", #"{"out": {"type": "console", "tls": {}}}"#,
            #"f.json:3:42: /exporters/out/tls: "tls" has no meaning for this type, which sends no requests; allowed: type, style, batch, retry, start, backlog, dead_letters, signals"#
        ),
        (
            "exporters",
            #"{"out": {"type": "mlflow", "endpoint": "http://m", "token": "t", "username": "u", "password": "p"}}"#,
            #"f.json:3:22: /exporters/out: "token" and "username" exclude each other"#
        ),
        (
            "exporters", #"{"out": {"type": "mlflow", "endpoint": "http://m", "password": "p"}}"#,
            #"f.json:3:22: /exporters/out: "username" and "password" go together"#
        ),
        (
            "exporters", #"{"out": {"type": "file", "path": "x", "rotate": {"keep": 3}}}"#,
            #"f.json:3:62: /exporters/out/rotate: "bytes" or "age" is missing; without them no file is ever closed"#
        ),
        (
            "processors", #"{"keep": {"type": "sample", "ratio": 1, "keep": {"status": "err"}}}"#,
            "f.json:3:74: /processors/keep/keep/status: one of unset, ok, error is expected"
        ),
        (
            "processors", #"{"map": {"type": "mlflow_map", "rules": [{"type": [{"rule": "a"}]}]}}"#,
            #"f.json:3:66: /processors/map/rules/0/type/0: "attribute" is missing"#
        ),
        (
            "processors", #"{"map": {"type": "mlflow_map", "conventions": ["openinferense"]}}"#,
            #"f.json:3:62: /processors/map/conventions/0: found "openinferense"; allowed: "ag2", "agentops", "agentscope", "beeai", "claude_code", "codex", "common", "gemini_cli", "genkit", "google_adk", "griptape", "guardrails", "haystack", "laminar", "langfuse", "langsmith", "langwatch", "litellm", "livekit", "logfire", "mastra", "mcp", "mirascope", "mistralai", "openinference", "openlit", "otel_genai", "pydantic_ai", "semantic_kernel", "spring_ai", "strands", "traceloop", "vercel_ai", "voltagent"; did you mean "openinference"?"#
        ),
        (
            "processors", #"{"keep": {"type": "sample", "ratio": 2}}"#,
            "f.json:3:52: /processors/keep/ratio: found the number 2; allowed: a number from 0 to 1"
        ),
        (
            "processors", #"{"a/b": {"type": "mlflow_map"}}"#,
            #"f.json:3:16: /processors/a~1b: found "a/b"; allowed: a name of at most 64 letters, digits, "_", "-" and "." that begins with a letter or digit"#
        ),
    ])
    func `a wrong component is named with its place and what is allowed`(section: String, text: String, line: String) {
        let errors = problems(of: file([section: text])).filter { !$0.contains(": warning: ") }
        #expect(errors == [line])
    }

    @Test(arguments: [
        ("{}", "f.json:4:14: /pipelines: no pipeline; at least one is needed"),
        (
            #"{"t": {"receivers": [], "exporters": ["out"]}}"#,
            "f.json:4:34: /pipelines/t/receivers: no receiver; at least one is needed"
        ),
        (
            #"{"t": {"receivers": ["inn"], "exporters": ["out"]}}"#,
            #"f.json:4:35: /pipelines/t/receivers/0: "inn" is no receiver of this file; allowed: in; did you mean "in"?"#
        ),
        (
            #"{"t": {"receivers": ["in"], "processors": ["map"], "exporters": ["out"]}}"#,
            #"f.json:4:57: /pipelines/t/processors/0: "map" is no processor of this file; allowed: none"#
        ),
        (
            #"{"t": {"receivers": ["in"], "exporters": ["out", "out"]}}"#,
            #"f.json:4:63: /pipelines/t/exporters/1: "out" stands here twice"#
        ),
        (
            #"{"t": {"receivers": ["in"], "exporters": ["out"], "signals": ["spans"]}}"#,
            #"f.json:4:76: /pipelines/t/signals/0: found "spans"; allowed: "traces", "metrics", "logs""#
        ),
        (
            #"{"t": {"receivers": ["in"]}}"#,
            #"f.json:4:20: /pipelines/t: "exporters" is missing; allowed: an array, each element a string that is not empty"#
        ),
    ])
    func `a pipeline names components that exist`(pipelines: String, line: String) {
        #expect(problems(of: file(["pipelines": pipelines])) == [line])
    }

    @Test func `every problem of a file is reported at once, in its order`() {
        let text = """
            {
              "receivers": { "in": { "type": "otlp_http", "listn": "127.0.0.1:4318", "max_body": 5 } },
              "exporters": { "out": { "type": "fil" } },
              "pipelines": { "traces": { "receivers": ["inn"], "exporters": ["out"] } }
            }
            """
        #expect(
            problems(of: text).map { $0.prefix { $0 != ";" } } == [
                #"f.json:2:47: /receivers/in/listn: unknown setting "listn""#,
                #"f.json:2:86: /receivers/in/max_body: found the number 5"#,
                #"f.json:3:35: /exporters/out/type: found "fil""#,
                #"f.json:4:44: /pipelines/traces/receivers/0: "inn" is no receiver of this file"#,
            ]
        )
    }
}

import Configuration
import Testing

/// Names that files of users may hold: each is taken, or refused with the reason, never unknown.
@Suite struct InterfaceTests {
    @Test(arguments: [
        (
            "receivers", "otlp_http",
            "listen traces_path metrics_path logs_path aliases max_body max_connections max_streams header_timeout body_timeout idle_timeout hold keepalive max_age hosts tls auth limits proxy_protocol cors forward_headers forward_secrets"
        ),
        (
            "receivers", "otlp_grpc",
            "listen max_body max_connections max_streams header_timeout body_timeout idle_timeout hold keepalive max_age tls auth limits proxy_protocol forward_headers forward_secrets"
        ),
        ("receivers", "jetstream", "servers stream partitions durable ack ack_wait max_ack_pending credentials tls"),
        (
            "exporters", "jetstream",
            "servers stream subject partitions replicas max_bytes max_age create credentials tls batch retry backlog start"
        ),
        ("processors", "mlflow_map", "conventions rules keep_source"),
        ("processors", "mlflow_experiment", "from map default create remember max_routes"),
        ("processors", "sample", "ratio keep mode precision fail_closed"),
        ("processors", "batch", "spans bytes linger"),
        (
            "exporters", "mlflow",
            "endpoint username password token workspace run_id trace_names timeout concurrency compression headers oauth2 batch retry backlog start tls proxy signals"
        ),
        (
            "exporters", "otlp_http",
            "endpoint traces_endpoint endpoints encoding preset region limits timeout concurrency compression headers oauth2 batch retry backlog start tls proxy signals"
        ),
        (
            "exporters", "file",
            "path format rotate timeout concurrency compression headers oauth2 batch retry backlog start tls proxy signals"
        ),
        (
            "exporters", "console",
            "style timeout concurrency compression headers oauth2 batch retry backlog start tls proxy signals"
        ),
    ])
    func `every setting of a component is known by its name`(section: String, type: String, names: String) {
        for name in names.split(separator: " ") {
            let lines = problems(of: file([section: #"{"in": {"type": "\#(type)", "\#(name)": null}}"#]))
            #expect(!lines.contains { $0.contains("unknown setting") }, "\(name)")
            #expect(lines.contains { $0.contains("/\(section)/in/\(name): ") }, "\(name)")
        }
    }

    @Test(arguments: [
        "$schema", "receivers", "processors", "exporters", "pipelines", "journal", "admin", "log", "telemetry",
        "drain_timeout",
        "memory_limit", "tests",
    ])
    func `every setting of the file is known by its name`(name: String) {
        #expect(!problems(of: file([name: "null"])).contains { $0.contains("unknown setting") })
    }

    @Test(arguments: [
        ("receivers", "jetstream otlp_file"),
        ("processors", "attributes filter redact truncate assemble tail_sample"),
        ("exporters", "mlflow otlp_http otlp_grpc jetstream file console discard"),
    ])
    func `a type of the interface is taken or refused by its name`(section: String, types: String) {
        for type in types.split(separator: " ") {
            let lines = problems(of: file([section: #"{"in": {"type": "\#(type)"}}"#]))
            #expect(!lines.contains { $0.contains("found \"\(type)\"") }, "\(type)")
        }
    }

    @Test func `every setting of the journal is known by its name`() {
        for name in ["directory", "storage", "sync", "max_bytes", "min_free", "max_age", "segment", "when_full"] {
            let lines = problems(of: file(["journal": #"{"\#(name)": null}"#]))
            #expect(lines.count == 1)
            #expect(lines[0].contains("/journal/\(name): found null"))
        }
    }
}

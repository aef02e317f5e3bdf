import Testing

@testable import Configuration

@Suite struct JetStreamSettingsTests {
    private static let exporter = #""type": "jetstream", "servers": ["nats://10.0.0.1:4222"], "stream": "spans""#

    private func lines(_ receivers: String, _ exporters: String, _ more: [String: String] = [:]) -> [String] {
        problems(of: file(["receivers": receivers, "exporters": exporters].merging(more) { $1 }))
    }

    @Test(arguments: [
        (#""servers": [], "stream": "s""#, "/servers: no server; at least one is needed"),
        (#""servers": ["http://a"], "stream": "s""#, "/servers/0: found \"http://a\""),
        (#""servers": ["nats://a"], "stream": "a.b""#, "/stream: found \"a.b\""),
        (#""servers": ["nats://a"], "stream": "s", "subject": "mr.*""#, "/subject: found \"mr.*\""),
        (#""servers": ["nats://a"], "stream": "s", "replicas": 2"#, "/replicas: an even number of servers"),
        (#""servers": ["nats://a"], "stream": "s", "credentials": {}"#, "/credentials: nothing is shown"),
        (
            #""servers": ["nats://a"], "stream": "s", "credentials": {"user": "a", "password": "b", "token": "c"}"#,
            #"/credentials: "user" and "token" exclude each other"#
        ),
        (
            #""servers": ["nats://a"], "stream": "s", "credentials": {"user": "a"}"#,
            #"/credentials: "user" and "password" go together"#
        ),
        (#""servers": ["nats://a"], "stream": "s", "credentials": {"nkey": "SUA"}"#, "/credentials/nkey: "),
    ])
    func `what cannot work is refused where it stands`(settings: String, problem: String) {
        let found = lines(#"{"in": {"type": "otlp_http"}}"#, #"{"out": {"type": "jetstream", \#(settings)}}"#)
        #expect(found.count == 1 && found[0].contains("/exporters/out\(problem)"), "\(found)")
    }

    @Test(arguments: [("spans", true), ("others", false)])
    func `a pipeline does not send to the stream that it takes from`(stream: String, isLoop: Bool) {
        let receiver = #""type": "jetstream", "servers": ["nats://10.0.0.1:4222"], "stream": "\#(stream)""#
        let found = lines(#"{"in": {\#(receiver)}}"#, #"{"out": {\#(Self.exporter)}}"#)
        let problem = "/exporters/out/stream: /receivers/in of the same pipeline takes from the stream spans"
        #expect(isLoop ? found.count == 1 && found[0].contains(problem) : found == [], "\(found)")
    }

    @Test(arguments: ["settled", "journaled"])
    func `settling is not waited for behind a window`(ack: String) {
        let receiver = #""type": "jetstream", "servers": ["nats://a"], "stream": "s", "ack": "\#(ack)""#
        let found = lines(
            #"{"in": {\#(receiver)}}"#,
            #"{"out": {"type": "console"}}"#,
            [
                "processors": #"{"whole": {"type": "assemble"}}"#,
                "pipelines": #"{"traces": {"receivers": ["in"], "processors": ["whole"], "exporters": ["out"]}}"#,
            ]
        )
        let problem = #"/receivers/in/ack: "settled" waits for deliveries, and "whole" holds traces back"#
        #expect(ack == "settled" ? found.count == 1 && found[0].contains(problem) : found == [], "\(found)")
    }
}

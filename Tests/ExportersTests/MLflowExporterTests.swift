import Basics
import MLflow
import OTLP
import Pipeline
import Settings
import TestKit
import Testing

@testable import Exporters

@Suite struct MLflowExporterTests {
    private static let payload = [UInt8]((0..<4000).map { UInt8(truncatingIfNeeded: $0 / 40) })

    private let mlflow = FakeMLflow()

    private func exporter(
        routing: Routing = Routing(),
        change: (inout MLflowSettings) -> Void = { _ in }
    ) throws -> MLflowExporter {
        var settings = MLflowSettings(endpoint: try #require(HTTPEndpoint(text: "http://mlflow:5000")))
        change(&settings)
        let clock = MonotonicClock(ManualClock())
        let credentials = Credentials(headers: settings.requests.headers, authorization: settings.authorization)
        return MLflowExporter(
            settings,
            routing: routing,
            client: mlflow.authorized(credentials),
            encoder: BodyEncoder(),
            clock: clock
        )
    }

    private func batch(
        _ route: Route,
        headers: [HTTPHeader] = [],
        signal: Signal = .traces,
        payload: [UInt8] = Self.payload
    ) -> Batch {
        Batch(signal: signal, route: route, headers: headers, payload: payload, items: 1)
    }

    private func traceRequest() throws -> HTTPRequest {
        try #require(mlflow.requests.last { $0.url.hasSuffix("/v1/traces") })
    }

    @Test func `a request names its experiment and its type exactly`() async throws {
        mlflow.change { $0.experiments["shop"] = ("12", false) }
        let exporter = try exporter {
            $0.token = Secret("secret")
            $0.workspace = "team"
            $0.runID = "run"
            $0.requests.compression = .none
        }
        #expect(await exporter.export(batch(.experimentName("shop"))) == .delivered)
        let request = try traceRequest()
        #expect(request.url == "http://mlflow:5000/v1/traces")
        #expect(request.header("Content-Type") == "application/x-protobuf")
        #expect(request.header("x-mlflow-experiment-id") == "12")
        #expect(request.header("x-mlflow-workspace") == "team")
        #expect(request.header("x-mlflow-run-id") == "run")
        #expect(request.header("Authorization") == "Bearer secret")
        #expect(request.header("Content-Encoding") == nil)
        #expect(request.body == Self.payload)
        #expect(request.timeout == .seconds(60))
    }

    @Test func `every request says who sends it, with headers of the user's`() async throws {
        let exporter = try exporter {
            ($0.username, $0.password) = ("user", Secret("pässword"))
            $0.requests.headers = [Named(name: "X-Key", value: Secret("k"))]
        }
        #expect(await exporter.export(batch(.experimentName("shop"))) == .delivered)
        #expect(mlflow.calls == ["get-by-name", "create", "version", "traces"])
        #expect(mlflow.requests.allSatisfy { $0.header("Authorization") == "Basic dXNlcjpww6Rzc3dvcmQ=" })
        #expect(mlflow.requests.allSatisfy { $0.header("X-Key") == "k" })
    }

    @Test func `without a route the default experiment gets it`() async throws {
        #expect(try await exporter().export(batch(.none)) == .delivered)
        #expect(mlflow.experimentIDs == ["0"])
    }

    @Test func `an id is used as it is`() async throws {
        mlflow.change { $0.experiments["x"] = ("31", false) }
        #expect(try await exporter().export(batch(.experimentID("31"))) == .delivered)
        #expect(mlflow.experimentIDs == ["31"])
        #expect(!mlflow.calls.contains("get-by-name"))
    }

    @Test(arguments: ["", "abc", "1 2", "-1"])
    func `an id that is not all digits is never sent`(id: String) async throws {
        #expect(try await exporter().export(batch(.experimentID(id))) == .unsendable(reason: "an id is all digits"))
        #expect(mlflow.requests.isEmpty)
    }

    @Test func `a client cannot name another experiment`() async throws {
        let exporter = try exporter {
            $0.requests.headers = [Named(name: "X-MLflow-Experiment-ID", value: Secret("7"))]
        }
        let forwarded = [HTTPHeader("x-mlflow-experiment-id", "8"), HTTPHeader("x-mlflow-run-id", "mine")]
        _ = await exporter.export(batch(.none, headers: forwarded))
        let request = try traceRequest()
        #expect(request.headers.filter { $0.name.lowercased() == "x-mlflow-experiment-id" }.map(\.value) == ["0"])
        #expect(request.header("x-mlflow-run-id") == "mine")
    }

    @Test(arguments: [("3.17.2", true), ("3.7.0", true), ("3.6.0", false), ("a login page", false)])
    func `only a version that inflates gets gzip`(version: String, isCompressed: Bool) async throws {
        mlflow.change { $0.version = version }
        let exporter = try exporter()
        _ = await exporter.export(batch(.none))
        _ = await exporter.export(batch(.none))
        let request = try traceRequest()
        #expect((request.header("Content-Encoding") == "gzip") == isCompressed)
        #expect((isCompressed ? gunzip(request.body) : request.body) == Self.payload)
        #expect(mlflow.calls.filter { $0 == "version" }.count == 1)
    }

    @Test func `after a lost connection version and experiment are asked again`() async throws {
        let exporter = try exporter()
        #expect(await exporter.export(batch(.experimentName("shop"))) == .delivered)
        mlflow.change {
            $0.nextAnswers = [.failure(.unreachable("down"))]
            $0.version = "3.6.0"
            $0.experiments = ["shop": ("40", false)]
        }
        #expect(await exporter.export(batch(.experimentName("shop"))) == .unavailable(reason: "down", after: nil))
        #expect(await exporter.export(batch(.experimentName("shop"))) == .delivered)
        #expect(mlflow.experimentIDs == ["1", "1", "40"])
        #expect(try traceRequest().header("Content-Encoding") == nil)
    }

    @Test(arguments: [502, 503])
    func `a proxy without a server behind it is a lost connection`(status: Int) async throws {
        let exporter = try exporter()
        #expect(await exporter.export(batch(.experimentName("shop"))) == .delivered)
        mlflow.change {
            $0.nextAnswers = [.reply(status, "<html>nginx</html>", headers: [HTTPHeader("retry-after", "7")])]
            $0.version = "3.6.0"
            $0.experiments = ["shop": ("40", false)]
        }
        let outcome = await exporter.export(batch(.experimentName("shop")))
        #expect(outcome == .unavailable(reason: "status \(status): nginx", after: .seconds(7)))
        #expect(await exporter.export(batch(.experimentName("shop"))) == .delivered)
        #expect(mlflow.experimentIDs == ["1", "1", "40"])
        #expect(mlflow.calls.filter { $0 == "version" }.count == 2)
    }

    @Test func `a lookup that finds no server forgets the others too`() async throws {
        let exporter = try exporter()
        #expect(await exporter.export(batch(.experimentName("shop"))) == .delivered)
        mlflow.change {
            $0.nextRESTAnswers = [.failure(.unreachable("down"))]
            $0.experiments = ["shop": ("40", false)]
        }
        #expect(await exporter.export(batch(.experimentName("desk"))) == .unavailable(reason: "down", after: nil))
        #expect(await exporter.export(batch(.experimentName("shop"))) == .delivered)
        #expect(mlflow.experimentIDs == ["1", "40"])
        #expect(mlflow.calls.filter { $0 == "version" }.count == 2)
    }

    @Test func `a time-out forgets nothing`() async throws {
        let exporter = try exporter()
        #expect(await exporter.export(batch(.experimentName("shop"))) == .delivered)
        mlflow.change { $0.nextAnswers = [.failure(.timedOut)] }
        #expect(await exporter.export(batch(.experimentName("shop"))) == .timedOut(reason: "no answer in time"))
        #expect(await exporter.export(batch(.experimentName("shop"))) == .delivered)
        #expect(mlflow.calls.filter { $0 == "get-by-name" }.count == 1)
    }

    @Test(arguments: [("3.17.2", 20), ("3.7.0", 20), ("3.6.0", 100), ("a login page", 20)])
    func `a version that counts a resend's tokens again gets five times as long`(
        version: String,
        seconds: Int
    ) async throws {
        mlflow.change { $0.version = version }
        let exporter = try exporter {
            $0.requests.timeout = .seconds(20)
            $0.requests.compression = .none
        }
        _ = await exporter.export(batch(.none))
        #expect(try traceRequest().timeout == .seconds(seconds))
    }

    @Test func `a server that is silent about its version is asked once a minute`() async throws {
        mlflow.change { $0.isVersionSilent = true }
        let clock = ManualClock()
        let settings = MLflowSettings(endpoint: try #require(HTTPEndpoint(text: "http://mlflow:5000")))
        let exporter = MLflowExporter(
            settings,
            client: mlflow,
            encoder: BodyEncoder(),
            clock: MonotonicClock(clock)
        )
        for _ in 0..<3 { #expect(await exporter.export(batch(.none)) == .delivered) }
        #expect(mlflow.calls == ["version", "traces", "traces", "traces"])
        #expect(try traceRequest().header("Content-Encoding") == nil)

        mlflow.change { $0.isVersionSilent = false }
        try await clock.sleep(for: .seconds(61))
        #expect(await exporter.export(batch(.none)) == .delivered)
        #expect(mlflow.calls.suffix(2) == ["version", "traces"])
        #expect(try traceRequest().header("Content-Encoding") == "gzip")
    }

    @Test func `an experiment that the server forgot is created again and the batch goes there`() async throws {
        let exporter = try exporter()
        #expect(await exporter.export(batch(.experimentName("shop"))) == .delivered)
        mlflow.change { $0.experiments = [:] }
        #expect(await exporter.export(batch(.experimentName("shop"))) == .delivered)
        #expect(mlflow.experimentIDs == ["1", "1", "2"])
    }

    @Test(arguments: ["No Experiment with id=1 exists", "No row was found when one was required"])
    func `the old server's word for a forgotten experiment is understood`(reason: String) async throws {
        let exporter = try exporter()
        #expect(await exporter.export(batch(.experimentName("shop"))) == .delivered)
        let gone = #"{"detail":"Failed to log OpenTelemetry spans: Trace tr-1: \#(reason)"}"#
        mlflow.change {
            $0.nextAnswers = [.reply(422, gone)]
            $0.experiments = ["shop": ("40", false)]
        }
        #expect(await exporter.export(batch(.experimentName("shop"))) == .delivered)
        #expect(mlflow.experimentIDs == ["1", "1", "40"])
    }

    @Test func `an experiment that stays unknown parks its route`() async throws {
        let gone = Result<HTTPResponse, HTTPFailure>.reply(
            404,
            #"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"No Experiment with id=1 exists"}"#
        )
        mlflow.change { $0.nextAnswers = [gone, gone] }
        let outcome = try await exporter().export(batch(.experimentName("shop")))
        #expect(outcome == .parked(reason: "status 404: No Experiment with id=1 exists"))
        #expect(mlflow.experimentIDs.count == 2)
    }

    @Test func `an experiment that was deleted is restored, or parks its route where that is not allowed`() async throws
    {
        mlflow.change { $0.experiments["shop"] = ("12", true) }
        let parking = try exporter(routing: Routing(createsMissing: false))
        let outcome = await parking.export(batch(.experimentName("shop")))
        #expect(outcome == .parked(reason: "it was deleted, and restoring it is not allowed"))
        let foreign = try exporter(routing: Routing(named: [.experimentName("Sales")]))
        let reason = "it was deleted, and only experiments of the pipeline file are restored"
        #expect(await foreign.export(batch(.experimentName("shop"))) == .parked(reason: reason))
        #expect(await foreign.export(batch(.experimentID("12"))) == .parked(reason: reason))
        let restoring = try exporter(routing: Routing(named: [.experimentName("shop")]))
        #expect(await restoring.export(batch(.experimentName("shop"))) == .delivered)
        #expect(mlflow.experimentIDs == ["12"])
    }

    @Test func `a name over 250 characters is never asked for`() async throws {
        let long = Route.experimentName(String(repeating: "x", count: 251))
        #expect(
            try await exporter().export(batch(long)) == .unsendable(reason: "its name is longer than 250 characters")
        )
        #expect(mlflow.requests.isEmpty)
        let named = try exporter(routing: Routing(named: [long]))
        #expect(await named.export(batch(long)) == .delivered)
    }

    @Test func `an unknown id parks its route`() async throws {
        let outcome = try await exporter().export(batch(.experimentID("99")))
        #expect(outcome == .parked(reason: "MLflow has no such experiment"))
        #expect(mlflow.experimentIDs.isEmpty)
    }

    @Test func `an id that the server forgot is asked for again and parks its route`() async throws {
        mlflow.change { $0.experiments["x"] = ("31", false) }
        let exporter = try exporter()
        #expect(await exporter.export(batch(.experimentID("31"))) == .delivered)
        mlflow.change { $0.experiments = [:] }
        let outcome = await exporter.export(batch(.experimentID("31")))
        #expect(outcome == .parked(reason: "MLflow has no such experiment"))
        #expect(mlflow.experimentIDs == ["31", "31"])
    }

    @Test func `a name that may not be created parks its route`() async throws {
        let exporter = try exporter(routing: Routing(createsMissing: false))
        let outcome = await exporter.export(batch(.experimentName("shop")))
        #expect(outcome == .parked(reason: "it does not exist, and creating it is not allowed"))
        #expect(mlflow.experimentIDs.isEmpty)
    }

    @Test func `with trace names by REST each delivered root names its trace`() async throws {
        let exporter = try exporter { $0.traceNames = .rest }
        let payload = Body.request(
            service: "s",
            Body.span(1, "POST /", Body.attribute(9, "mlflow.traceTag.mlflow.traceName", Body.text(1, "checkout"))),
            Body.span(2, parent: 1, "child"),
            Body.span(3, trace: 2, "job \"x\"")
        )
        #expect(await exporter.export(batch(.none, payload: payload)) == .delivered)
        let patches = mlflow.requests.filter { $0.method == "PATCH" }
        let path = "http://mlflow:5000/api/2.0/mlflow/traces/tr-"
        #expect(
            patches.map(\.url) == [
                path + String(repeating: "01", count: 16) + "/tags",
                path + String(repeating: "02", count: 16) + "/tags",
            ]
        )
        #expect(
            patches.map { String(decoding: $0.body, as: UTF8.self) } == [
                #"{"key":"mlflow.traceName","value":"checkout"}"#,
                #"{"key":"mlflow.traceName","value":"job \"x\""}"#,
            ]
        )
    }

    @Test func `a name that cannot be set does not bring the batch back`() async throws {
        let exporter = try exporter { $0.traceNames = .rest }
        mlflow.change { $0.nextRESTAnswers = [.reply(404, #"{"error_code":"X","message":"no such trace"}"#)] }
        let payload = Body.request(service: "s", Body.span(1, "root"))
        let outcome = await exporter.export(batch(.none, payload: payload))
        #expect(outcome == .delivered(rejected: 0, message: "traces are not named: no such trace"))
    }

    @Test func `requests of one experiment go one after another`() throws {
        let exporter = try exporter()
        #expect(exporter.deliversOneAtATimePerRoute)
        #expect(exporter.concurrency == 2)
    }
}

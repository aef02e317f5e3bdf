import Basics
import MLflow
import Synchronization
import TestKit
import Testing

@Suite struct ExperimentDirectoryTests {
    private let mlflow = FakeMLflow()
    private let clock = ManualClock()

    private func directory(
        mayCreate: Bool = true,
        restorable: Set<ExperimentReference> = [.name("old"), .id("4")]
    ) -> ExperimentDirectory {
        let server = MLflowServer(baseURL: "http://mlflow", workspace: "team")
        return ExperimentDirectory(
            server: server,
            client: mlflow,
            mayCreate: mayCreate,
            restorable: restorable,
            clock: MonotonicClock(clock)
        )
    }

    @Test func `a name that exists is found once and remembered`() async {
        mlflow.change { $0.experiments["shop & co/ü"] = ("7", false) }
        let directory = directory()
        #expect(await directory.id(of: .name("shop & co/ü")) == .found(id: "7"))
        #expect(await directory.id(of: .name("shop & co/ü")) == .found(id: "7"))
        #expect(mlflow.calls == ["get-by-name"])
        #expect(
            mlflow.requests[0].url
                == "http://mlflow/api/2.0/mlflow/experiments/get-by-name?experiment_name=shop%20%26%20co%2F%C3%BC"
        )
    }

    @Test func `names that differ only in their Unicode form are looked up each for itself`() async {
        let directory = directory(restorable: [.name("caf\u{E9}")])
        mlflow.change {
            $0.nextRESTAnswers = ["7", "8"].map { .reply(200, #"{"experiment":{"experiment_id":"\#($0)"}}"#) }
        }
        for _ in 0..<2 {
            #expect(await directory.id(of: .name("caf\u{E9}")) == .found(id: "7"))
            #expect(await directory.id(of: .name("cafe\u{301}")) == .found(id: "8"))
        }
        #expect(mlflow.calls == ["get-by-name", "get-by-name"])
        #expect(Set([ExperimentReference.name("7"), .id("7"), .name("7")]).count == 2)
    }

    @Test func `requests carry the workspace`() async {
        _ = await directory().id(of: .name("x"))
        #expect(mlflow.requests.allSatisfy { $0.header("x-mlflow-workspace") == "team" })
    }

    @Test func `a name that does not exist is created`() async {
        #expect(await directory().id(of: .name("new")) == .found(id: "1"))
        #expect(mlflow.calls == ["get-by-name", "create"])
    }

    @Test func `without permission nothing is created`() async {
        let lookup = await directory(mayCreate: false).id(of: .name("new"))
        #expect(lookup == .parked(reason: "it does not exist, and creating it is not allowed"))
        #expect(mlflow.calls == ["get-by-name"])
    }

    @Test func `an experiment that another creates meanwhile is looked up again`() async {
        mlflow.change {
            $0.experiments["raced"] = ("9", false)
            $0.nextRESTAnswers = [.reply(404, #"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":""}"#)]
        }
        #expect(await directory().id(of: .name("raced")) == .found(id: "9"))
        #expect(mlflow.calls == ["get-by-name", "create", "get-by-name"])
    }

    @Test func `a deleted experiment is restored`() async {
        mlflow.change { $0.experiments["old"] = ("4", true) }
        #expect(await directory().id(of: .name("old")) == .found(id: "4"))
        #expect(mlflow.calls == ["get-by-name", "restore"])
    }

    @Test(arguments: [ExperimentReference.id("4"), .name("old")])
    func `a deleted experiment that only a client names stays deleted`(experiment: ExperimentReference) async {
        mlflow.change { $0.experiments["old"] = ("4", true) }
        let lookup = await directory(restorable: [.name("other"), .id("5")]).id(of: experiment)
        #expect(lookup == .parked(reason: "it was deleted, and only experiments of the pipeline file are restored"))
        #expect(!mlflow.calls.contains("restore"))
    }

    @Test func `a name that no request can hold says nothing of the server`() async {
        mlflow.change { $0.experiments["x"] = ("1", false) }
        let directory = directory()
        #expect(await directory.id(of: .name("x")) == .found(id: "1"))
        mlflow.change { $0.nextRESTAnswers = [.failure(.unsendable("URL using bad/illegal format"))] }
        let reason = "MLflow cannot be asked for it: URL using bad/illegal format"
        #expect(await directory.id(of: .name("y")) == .unsendable(reason: reason))
        #expect(await directory.id(of: .name("x")) == .found(id: "1"))
        #expect(mlflow.calls.count == 2, "what is known stays known")
    }

    @Test func `a deleted experiment that may not be restored is parked`() async {
        mlflow.change { $0.experiments["old"] = ("4", true) }
        let lookup = await directory(mayCreate: false).id(of: .name("old"))
        #expect(lookup == .parked(reason: "it was deleted, and restoring it is not allowed"))
    }

    @Test func `an id is asked for once, because MLflow takes spans for a deleted experiment`() async {
        mlflow.change { $0.experiments["old"] = ("4", true) }
        let lookup = await directory(mayCreate: false).id(of: .id("4"))
        #expect(lookup == .parked(reason: "it was deleted, and restoring it is not allowed"))
        let directory = directory()
        #expect(await directory.id(of: .id("4")) == .found(id: "4"))
        #expect(await directory.id(of: .id("4")) == .found(id: "4"))
        #expect(mlflow.calls == ["get", "get", "restore"])
        #expect(await directory.id(of: .id("5")) == .parked(reason: "MLflow has no such experiment"))
    }

    @Test(arguments: [401, 403, 404, 400])
    func `an id that MLflow does not let us ask for is used as it is`(status: Int) async {
        mlflow.change { $0.nextRESTAnswers = [.reply(status, "<h1>no</h1>")] }
        #expect(await directory().id(of: .id("4")) == .found(id: "4"))
    }

    @Test func `a remembered id is looked up again after a while`() async {
        mlflow.change { $0.experiments["x"] = ("1", false) }
        let directory = directory()
        _ = await directory.id(of: .name("x"))
        mlflow.change { $0.experiments["x"] = ("2", false) }
        try? await clock.sleep(until: clock.now.advanced(by: .seconds(299)), tolerance: nil)
        directory.serverAnswered()
        #expect(await directory.id(of: .name("x")) == .found(id: "1"))
        try? await clock.sleep(until: clock.now.advanced(by: .seconds(1)), tolerance: nil)
        directory.serverAnswered()
        #expect(await directory.id(of: .name("x")) == .found(id: "2"))
    }

    @Test func `a server that was silent may have another database and is asked again`() async {
        mlflow.change { $0.experiments["x"] = ("1", false) }
        let directory = directory()
        _ = await directory.id(of: .name("x"))
        mlflow.change { $0.experiments["x"] = ("2", false) }
        try? await clock.sleep(until: clock.now.advanced(by: .seconds(1)), tolerance: nil)
        #expect(await directory.id(of: .name("x")) == .found(id: "1"))
        try? await clock.sleep(until: clock.now.advanced(by: .seconds(1)), tolerance: nil)
        #expect(await directory.id(of: .name("x")) == .found(id: "2"))
    }

    @Test func `an old id serves where MLflow cannot say`() async {
        mlflow.change { $0.experiments["x"] = ("1", false) }
        let directory = directory()
        _ = await directory.id(of: .name("x"))
        try? await clock.sleep(until: clock.now.advanced(by: .seconds(300)), tolerance: nil)
        mlflow.change {
            $0.nextRESTAnswers = [.reply(503, #"{"error_code":"TEMPORARILY_UNAVAILABLE","message":"locked"}"#)]
        }
        #expect(await directory.id(of: .name("x")) == .found(id: "1"))
    }

    @Test func `a lost connection while looking up forgets every id`() async {
        mlflow.change { $0.experiments = ["x": ("1", false), "y": ("2", false)] }
        let directory = directory()
        _ = await directory.id(of: .name("x"))
        mlflow.change {
            $0.nextRESTAnswers = [.reply(502, "<html>Bad Gateway</html>")]
            $0.experiments = ["x": ("2", false), "y": ("1", false)]
        }
        #expect(await directory.id(of: .name("y")) == .unreachable(reason: "status 502: Bad Gateway", retryAfter: nil))
        #expect(await directory.id(of: .name("x")) == .found(id: "2"))
    }

    @Test func `nothing is remembered across a lost connection`() async {
        mlflow.change { $0.experiments["x"] = ("1", false) }
        let directory = directory()
        _ = await directory.id(of: .name("x"))
        directory.forgetAll()
        mlflow.change { $0.nextRESTAnswers = [.failure(.unreachable("down"))] }
        #expect(await directory.id(of: .name("x")) == .unreachable(reason: "down", retryAfter: nil))
        mlflow.change { $0.experiments["x"] = ("5", false) }
        #expect(await directory.id(of: .name("x")) == .found(id: "5"))
    }

    @Test func `many who ask at once cause one lookup`() async {
        mlflow.change { $0.experiments["x"] = ("1", false) }
        let directory = directory()
        let answers = await withTaskGroup(of: ExperimentLookup.self) { group in
            for _ in 0..<50 { group.addTask { await directory.id(of: .name("x")) } }
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(answers == Array(repeating: .found(id: "1"), count: 50))
        #expect(mlflow.calls == ["get-by-name"])
    }

    @Test func `a cancelled task does not spoil the lookup of another`() async {
        let (asked, asking) = AsyncStream.makeStream(of: Void.self)
        let (go, release) = AsyncStream.makeStream(of: Void.self)
        let client = GatedClient(asking: asking, go: go)
        let directory = ExperimentDirectory(
            server: MLflowServer(baseURL: "http://mlflow"),
            client: client,
            mayCreate: true
        )
        let first = Task { await directory.id(of: .name("x")) }
        for await _ in asked { break }
        let second = Task { await directory.id(of: .name("x")) }
        first.cancel()
        release.finish()
        #expect(await first.value == .cancelled)
        #expect(await second.value == .found(id: "3"))
    }

    @Test(arguments: [
        (401, "nobody", ExperimentLookup.parked(reason: "MLflow refuses the credentials (401): nobody")),
        (403, "read only", .parked(reason: "MLflow refuses the credentials (403): read only")),
        (404, "<h1>Not Found</h1>", .parked(reason: "MLflow refuses it (404): Not Found")),
        (503, "busy", .unreachable(reason: "status 503: busy", retryAfter: .seconds(2))),
        (
            503, #"{"error_code":"TEMPORARILY_UNAVAILABLE","message":"busy"}"#,
            .unavailable(reason: "status 503: busy", retryAfter: .seconds(2))
        ),
        (
            400, #"{"error_code":"BAD_REQUEST","message":"(psycopg2.X) deadlock"}"#,
            .unavailable(reason: "status 400: (psycopg2.X) deadlock", retryAfter: .seconds(2))
        ),
        (
            500, #"{"error_code":"INTERNAL_ERROR","message":"int too large"}"#,
            .parked(reason: "MLflow fails on it (500): int too large")
        ),
        (400, #"{"error_code":"BAD_REQUEST","message":"no"}"#, .parked(reason: "MLflow refuses it (400): no")),
        (500, "oops", .unavailable(reason: "status 500: oops", retryAfter: .seconds(2))),
        (200, "a login page", .parked(reason: "the answer is not MLflow's: a login page")),
        (200, #"{"message":"no id"}"#, .parked(reason: "the answer is not MLflow's: no id")),
        (
            200, #"{"message":"empty","experiment":{"experiment_id":""}}"#,
            .parked(reason: "the answer is not MLflow's: empty")
        ),
    ])
    func `each trouble has its answer`(status: Int, body: String, lookup: ExperimentLookup) async {
        mlflow.change { $0.nextRESTAnswers = [.reply(status, body, headers: [HTTPHeader("retry-after", "2")])] }
        #expect(await directory().id(of: .name("x")) == lookup)
    }

    @Test func `beyond the bound the name looked up longest ago is forgotten`() async {
        let server = MLflowServer(baseURL: "http://mlflow")
        let clock = MonotonicClock(clock)
        let directory = ExperimentDirectory(server: server, client: mlflow, mayCreate: true, namesMax: 2, clock: clock)
        for name in ["a", "b", "c"] {
            _ = await directory.id(of: .name(name))
            try? await clock.sleep(.seconds(1))
        }
        let before = mlflow.requests.count
        directory.serverAnswered()
        _ = await directory.id(of: .name("b"))
        _ = await directory.id(of: .name("c"))
        #expect(mlflow.requests.count == before)
        _ = await directory.id(of: .name("a"))
        #expect(mlflow.requests.count == before + 1)
    }
}

/// Answers the second request at once, and the first when a gate opens or its task is cancelled.
private final class GatedClient: HTTPClient {
    private let asking: AsyncStream<Void>.Continuation
    private let go: AsyncStream<Void>
    private let count = Mutex(0)

    init(asking: AsyncStream<Void>.Continuation, go: AsyncStream<Void>) {
        self.asking = asking
        self.go = go
    }

    func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPResponse {
        let isFirst = count.withLock { count in
            count += 1
            return count == 1
        }
        if isFirst {
            asking.yield()
            for await _ in go {}
        }
        guard !Task.isCancelled else { throw .cancelled }
        return HTTPResponse(status: 200, headers: [], body: Array(#"{"experiment":{"experiment_id":"3"}}"#.utf8))
    }
}

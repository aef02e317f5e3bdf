import Basics
import Journal
import Logging
import OTLP
import Pipeline
import Processors
import TestKit

/// Runs one step of a request's way again and again, for a tool that counts instructions.
///
/// `Benchmarks --step STEP PAYLOAD REQUESTS [SINK-PORT]` prints how many spans passed. Start-up is in each run, so what a
/// step costs is the difference of two runs; Tests/Bench/micro.py takes it.
struct StepRun {
    /// What is run for each request.
    enum Step: String, CaseIterable {
        /// The receiver's socket, HTTP and body, and its answer; the intake answers at once.
        case receive
        /// Validating and indexing the protobuf.
        case index
        /// `index`, then `redact` with every usual detector, which finds nothing.
        case redact
        /// `index`, then `mlflow_map` and `mlflow_experiment`.
        case map
        /// `map`, then division and the records for the journal.
        case encode
        /// The records into a journal on disk, without syncs.
        case append
        /// `append`, then all records back out of it, settled.
        case read
        /// Records gathered into batches of the standard limits.
        case merge
        /// Those batches sent by libcurl to the sink.
        case send
    }

    struct Usage: Error, CustomStringConvertible {
        let description: String

        init(_ problem: String) {
            let steps = Step.allCases.map(\.rawValue).joined(separator: "|")
            description = "\(problem); usage: Benchmarks --step \(steps) small|large REQUESTS [SINK-PORT]"
        }
    }

    /// A step did not do what it is measured for.
    struct Failure: Error {
        let reason: String
    }

    private let step: Step
    private let wire: [UInt8]
    private let spans: Int
    private let requests: Int
    private let sinkPort: Int?

    /// Reads what follows `--step`; throws where that is no step, or there is no such payload.
    init(_ arguments: [String]) throws {
        guard arguments.count >= 3, let step = Step(rawValue: arguments[0]), let requests = Int(arguments[2]) else {
            throw Usage("step, payload and number of requests are needed")
        }
        self.step = step
        self.requests = requests
        wire = try Fixtures.bytes("payloads/\(arguments[1]).pb")
        spans = try SpanBatch(wire).spans.count
        sinkPort = arguments.count > 3 ? Int(arguments[3]) : nil
    }

    /// Runs the step and prints the number of spans that passed.
    func run() async throws {
        let passed: Int
        switch step {
        case .receive: passed = try await ReceiveStep(wire).run(requests) * spans
        case .index: passed = try repeated { try SpanBatch(wire).spans.count }
        case .redact: passed = try redacted()
        case .map: passed = try mapped()
        case .encode: passed = try encoded()
        case .append:
            passed = try await JournalStep(try records(Self.processors())).run(requests, readsBack: false) * spans
        case .read:
            passed = try await JournalStep(try records(Self.processors())).run(requests, readsBack: true) * spans
        case .merge: passed = DeliveryStep(try records(Self.processors())).merge(requests)
        case .send:
            guard let sinkPort else { throw Usage("send needs the port of a sink") }
            passed = try await DeliveryStep(try records(Self.processors())).send(requests, to: sinkPort)
        }
        guard passed == requests * spans else { throw Failure(reason: "\(passed) of \(requests * spans) spans") }
        print("spans \(passed)")
    }

    private func repeated(_ work: () throws -> Int) rethrows -> Int {
        var total = 0
        for _ in 0..<requests { total += try work() }
        return total
    }

    private func redacted() throws -> Int {
        let processors = [try RedactSettings().makeProcessor(named: "hide")].compactMap { $0 }
        return try repeated { try work(processors).batch.keptCount }
    }

    private func mapped() throws -> Int {
        let processors = try Self.processors()
        return try repeated { try work(processors).batch.keptCount }
    }

    private func encoded() throws -> Int {
        let processors = try Self.processors()
        return try repeated { try records(processors).reduce(0) { $0 + Int($1.items) } }
    }

    /// One request behind the processors.
    private func work(_ processors: [any SpanProcessor]) throws -> SpanWork {
        let time = UnixTime(nanoseconds: 1_790_000_000_000_000_000)
        var work = SpanWork(batch: try SpanBatch(wire), source: RequestSource(receiver: "otlp"), receivedAt: time)
        for processor in processors { processor.process(&work) }
        return work
    }

    /// What the journal gets for one request: what `PipelineFront` makes of it.
    private func records(_ processors: [any SpanProcessor]) throws -> [NewRecord] {
        var work = try work(processors)
        work.divide(itemsMax: BatchLimits.standard.items)
        return try work.batch.groups.map { group in
            let encoded = try work.batch.encoded(group, charging: &work.account)
            let metadata = RecordMetadata(signal: .traces, route: work.routes[Int(group.number)])
            return NewRecord(
                log: LogID("traces"),
                kind: .items,
                items: UInt32(encoded.items),
                metadata: metadata.encoded(),
                payload: encoded.payload
            )
        }
    }

    private static func processors() throws -> [any SpanProcessor] {
        [
            try MLflowMap(name: "map", settings: MLflowMapSettings()),
            MLflowExperiment(name: "route", settings: MLflowExperimentSettings()),
        ]
    }

    /// Says nothing: formatting messages is no part of a step.
    static let logger = Logger(label: "benchmarks") { _ in SwiftLogNoOpLogHandler() }
}

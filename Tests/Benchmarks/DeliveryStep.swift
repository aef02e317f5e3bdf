import Basics
import Exporters
import HTTPClient
import Journal
import OTLP
import Pipeline

/// One request's records on their way out: gathered into batches, and sent.
struct DeliveryStep {
    private let records: [NewRecord]
    private let items: Int
    /// Requests whose spans fill a batch.
    private let requestsABatch: Int

    init(_ records: [NewRecord]) {
        self.records = records
        items = records.reduce(0) { $0 + Int($1.items) }
        requestsABatch = max(1, BatchLimits.standard.items / items)
    }

    /// Makes the batches of so many requests, a multiple of `requestsABatch`; returns the spans in them.
    func merge(_ requests: Int) -> Int {
        var spans = 0
        for _ in 0..<requests / requestsABatch { spans += batches().reduce(0) { $0 + $1.items } }
        return spans
    }

    /// Sends the batches of so many requests one after the other; returns the spans that the sink took.
    func send(_ requests: Int, to port: Int) async throws -> Int {
        let loop = CurlLoop()
        let settings = OTLPHTTPSettings(
            endpoint: HTTPEndpoint(text: "http://127.0.0.1:\(port)"),
            requests: RequestSettings(compression: .none)
        )
        let exporter = OTLPHTTPExporter(settings, encoder: BodyEncoder()) { CurlClient(loop: loop, connection: $0) }
        let batches = batches()
        var spans = 0
        for _ in 0..<requests / requestsABatch {
            for batch in batches {
                let outcome = await exporter.export(batch)
                guard outcome == .delivered else { throw StepRun.Failure(reason: "\(outcome)") }
                spans += batch.items
            }
        }
        await exporter.close()
        await loop.close()
        return spans
    }

    /// What a delivery makes of the records of `requestsABatch` requests.
    private func batches() -> [Batch] {
        var window = BatchWindow(limits: .standard, retry: .standard, isExclusive: false, bytesMax: 64 << 20)
        var id: UInt64 = 0
        for _ in 0..<requestsABatch {
            for record in records {
                guard let metadata = RecordMetadata(decoding: record.metadata) else { continue }
                let queued = QueuedRecord(id: id, items: record.items, metadata: metadata, payload: record.payload)
                id += UInt64(record.items)
                let key = MergeKey(signal: metadata.signal, route: .none, headers: metadata.headers)
                window.add(queued, key: key, now: .zero)
            }
        }
        window.isDraining = true
        var batches: [Batch] = []
        while var batch = window.next(now: .zero) {
            batch.prepare(limits: .standard)
            while let request = batch.nextRequest() {
                batches.append(request.batch)
                batch.completeNextRequest()
            }
            window.settle(batch)
        }
        return batches
    }
}

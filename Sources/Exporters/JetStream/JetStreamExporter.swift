import Basics
import Logging
import NATS
import OTLP
package import Pipeline
import Settings
import Synchronization

/// Stores batches in a stream, each divided by the partitions of its traces, and of the resources of what belongs to no trace.
///
/// A batch counts as delivered once a majority of the stream's servers has all of its messages. What is tried again goes under
/// the same ids, so that the stream keeps it once for as long as it remembers ids; parts that this process knows to be there are not
/// sent again at all.
package final class JetStreamExporter: Exporter {
    private struct State {
        /// Whether the stream is there and has this layout.
        var isReady = false
        /// Ids of messages that are stored while their batch is not done.
        var stored: Set<String> = []
    }

    /// One message of a batch.
    private struct Part {
        let subject: String
        let id: String
        let headers: [HTTPHeader]
        let payload: [UInt8]

        var size: Int { NATSClient.bytes(of: headers) + payload.count }
    }

    /// Begins the ids of all messages of this process.
    private static let process = String(UInt64.random(in: 0 ... .max), radix: 36)
    /// Ids of unfinished batches that are remembered, at most.
    private static let storedMax = 65_536

    private let settings: JetStreamSettings
    private let layout: RelayStream
    private let client: NATSClient
    private let stream: JetStream
    private let logger: Logger
    private let state = Mutex(State())

    /// Begins to connect; the logger is told of connections, and of a stream that was created.
    package init(_ settings: JetStreamSettings, in context: ExporterContext) {
        self.settings = settings
        logger = context.logger
        layout = settings.layout
        client = NATSClient(settings.nats, name: "\(Product.name) exporter \(context.name)", logger: logger)
        stream = JetStream(client)
        StreamMembers.answer(settings.stream, over: client) { [name = context.name, report = context.report] in
            report.json.adding(["exporter": .text(name)])
        }
        client.start()
        // Gateways find the stream before anything is in it.
        Task { [weak self] in _ = await self?.prepare() }
    }

    package var usesRoutes: Bool { true }
    package var keepsIdentity: Bool { true }
    package var concurrency: Int { settings.concurrency }

    package func close() async { await client.close() }

    package func export(_ batch: Batch) async -> DeliveryOutcome {
        if let trouble = await prepare() { return .unavailable(reason: trouble, after: nil) }
        guard let parts = parts(of: batch) else {
            return .refused(Rejection(status: nil, reason: "the batch cannot be divided by traces"))
        }
        let limit = client.payloadMax - RelayHeader.room
        if let large = parts.first(where: { $0.size > limit }) {
            let reason = "a message of \(large.size) bytes, and the servers take \(limit)"
            return .tooLarge(Rejection(status: nil, reason: reason))
        }
        let stored = state.withLock { $0.stored }
        let failures = await withTaskGroup { group in
            for part in parts where !stored.contains(part.id) { group.addTask { await self.store(part) } }
            return await group.reduce(into: [JetStream.Failure]()) { if let failure = $1 { $0.append(failure) } }
        }
        guard let failure = failures.first(where: \.isForGood) ?? failures.first else {
            state.withLock { $0.stored.subtract(parts.map(\.id)) }
            return .delivered
        }
        return outcome(of: failure)
    }

    private func outcome(of failure: JetStream.Failure) -> DeliveryOutcome {
        if Task.isCancelled { return .cancelled }
        guard failure.isForGood else {
            // The stream may be gone; who asks next looks.
            state.withLock { $0.isReady = false }
            return .unavailable(reason: "\(failure)", after: nil)
        }
        return .tooLarge(Rejection(status: nil, reason: "\(failure)"))
    }

    /// Nil once it is stored.
    private func store(_ part: Part) async -> JetStream.Failure? {
        do throws(JetStream.Failure) {
            let receipt = try await stream.store(
                part.subject,
                headers: part.headers,
                part.payload,
                within: settings.timeout
            )
            guard receipt.stream == layout.name else {
                return .unavailable("the subject \(part.subject) is one of the stream \(receipt.stream)")
            }
        } catch {
            return error
        }
        state.withLock { state in
            if state.stored.count >= Self.storedMax { state.stored = [] }
            state.stored.insert(part.id)
        }
        return nil
    }

    /// Connects, and looks whether the stream fits, where that is not known; why nothing can be stored now.
    private func prepare() async -> String? {
        guard await client.connected(within: settings.timeout) else { return client.trouble }
        if state.withLock({ $0.isReady }) { return nil }
        do throws(JetStream.Failure) {
            if let mismatch = layout.mismatch(with: try await find(), replicas: settings.limits.replicas) {
                return mismatch
            }
        } catch {
            return "\(error)"
        }
        state.withLock { $0.isReady = true }
        return nil
    }

    /// What the API says of the stream, which is created where it may be.
    private func find() async throws(JetStream.Failure) -> JSONNode {
        do throws(JetStream.Failure) {
            return try await stream.ask("STREAM.INFO.\(layout.name)")
        } catch {
            guard error.saysMissing, settings.creates else { throw error }
        }
        let made = try await stream.ask("STREAM.CREATE.\(layout.name)", layout.configuration(settings.limits))
        logger.info(
            "a stream is created",
            metadata: [
                "stream": "\(layout.name)", "partitions": "\(layout.partitions)",
                "replicas": "\(settings.limits.replicas)",
            ]
        )
        return made
    }
}

extension JetStreamExporter {
    /// The messages of a batch; nil where it cannot be read.
    private func parts(of batch: Batch) -> [Part]? {
        let heldMax = RequestAccount(bytes: batch.payload.count).heldMax
        let limits = WireLimits(indexBytesMax: heldMax)
        guard var units = try? Envelope(framesOf: batch.payload, signal: batch.signal, limits: limits) else {
            return nil
        }
        for index in 0..<units.unitCount { units.assign(index, to: UInt16(partition(of: index, in: units))) }
        let headers = headers(of: batch)
        return units.groups.compactMap { group in
            units.encoded(group: group.number).map { part($0, in: Int(group.number), of: batch, headers) }
        }
    }

    private func partition(of index: Int, in units: Envelope) -> Int {
        let unit = units.unit(index)
        guard unit.hasTrace else { return layout.partition(ofResource: units.resource(ofUnit: index)) }
        return layout.partition(high: unit.traceID.high, low: unit.traceID.low)
    }

    private func part(_ units: EncodedUnits, in partition: Int, of batch: Batch, _ headers: [HTTPHeader]) -> Part {
        var headers = headers + [HTTPHeader(RelayHeader.items, "\(units.items)")]
        let subject = layout.subject(of: partition)
        // Records are numbered by each process for itself, and parts of a batch that was divided have the same ones.
        var checksum = CRC32C()
        checksum.update(units.payload.span.bytes)
        let content = "\(units.payload.count)-\(checksum.value)"
        let words = [Self.process, subject, batch.records ?? "", content] + headers.flatMap { [$0.name, $0.value] }
        let id = String(SHA256.hash(Array(words.joined(separator: "\n").utf8)).hexadecimal.prefix(32))
        headers.append(HTTPHeader(RelayHeader.messageID, id))
        return Part(subject: subject, id: id, headers: headers, payload: units.payload)
    }

    private func headers(of batch: Batch) -> [HTTPHeader] {
        var headers = [HTTPHeader(RelayHeader.signal, batch.signal.name)]
        switch batch.route {
        case .none: break
        case .experimentName(let name): headers.append(HTTPHeader(RelayHeader.route, "name:\(name.percentEncoded)"))
        case .experimentID(let id): headers.append(HTTPHeader(RelayHeader.route, "id:\(id.percentEncoded)"))
        }
        if let identity = batch.identity { headers.append(HTTPHeader(RelayHeader.identity, identity.percentEncoded)) }
        return headers
            + batch.headers.forwardable().map { HTTPHeader(RelayHeader.kept + $0.name, $0.value.percentEncoded) }
    }
}

extension JetStream.Failure {
    /// Whether trying again changes nothing.
    fileprivate var isForGood: Bool {
        guard case .refused(let refusal) = self else { return false }
        return JetStream.tooLarge.contains(refusal.number)
    }
}

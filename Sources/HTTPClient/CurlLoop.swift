package import Basics
import CCurl
import Synchronization

/// The thread that runs libcurl for all exporters.
///
/// Requests come in through one bounded inbox and `curl_multi_wakeup`; answers go back by resuming the caller's
/// continuation from the thread. Everything else of libcurl happens on that thread alone.
package final class CurlLoop: Sendable {
    /// Requests waiting or under way, at most; one more fails at once as unsendable.
    package static let requestsMax = 1024
    /// Connections to one host, at most; further requests wait for one, and their time-outs run meanwhile.
    package static let connectionsPerHostMax = 32
    /// Files that one exporter may have open: its connections to one host, and as many that are kept or being resolved.
    package static let descriptorsPerExporter = connectionsPerHostMax * 2

    private struct State {
        var inbox: [CurlJob] = []
        /// Requests whose tasks were cancelled and have not returned yet.
        var cancelled: Set<UInt64> = []
        var nextID: UInt64 = 0
        var unfinished = 0
        var isClosing = false
        /// The multi handle is gone.
        var isOver = false
        var closers: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let multi: CurlMulti

    /// Starts the thread.
    package init() {
        multi = CurlMulti(connectionsPerHostMax: Self.connectionsPerHostMax)
        spawnThread(named: "millrace-curl") { self.loop() }
    }

    /// Sends one request; suspends without blocking.
    package func run(
        _ request: HTTPRequest,
        over connection: ConnectionSettings,
        _ receive: (@Sendable ([UInt8]) -> Bool)? = nil
    ) async throws(HTTPFailure) -> HTTPResponse {
        let id = state.withLock { state in
            state.nextID &+= 1
            return state.nextID
        }
        let result: Result<HTTPResponse, HTTPFailure> = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                var job = CurlJob(id: id, request: request, connection: connection, continuation: continuation)
                job.receive = receive
                submit(job)
            }
        } onCancel: {
            cancel(id)
        }
        state.withLock { _ = $0.cancelled.remove(id) }
        return try result.get()
    }

    /// Takes no more requests, lets those under way finish, and ends the thread.
    package func close() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                state.isClosing = true
                if !state.isOver {
                    state.closers.append(continuation)
                    multi.wakeUp()
                }
                return state.isOver
            }
            if isOver { continuation.resume() }
        }
    }

    private func submit(_ job: CurlJob) {
        let refusal: HTTPFailure? = state.withLock { state in
            if state.isClosing || state.cancelled.contains(job.id) { return .cancelled }
            guard state.unfinished < Self.requestsMax else {
                return .unsendable("\(Self.requestsMax) requests are under way already")
            }
            state.unfinished += 1
            state.inbox.append(job)
            multi.wakeUp()
            return nil
        }
        if let refusal { job.continuation.resume(returning: .failure(refusal)) }
    }

    private func cancel(_ id: UInt64) {
        state.withLock { state in
            state.cancelled.insert(id)
            if !state.isOver { multi.wakeUp() }
        }
    }
}

extension CurlLoop {
    private func loop() {
        var transfers = CurlTransfers(multi: multi)
        while true {
            let (jobs, cancelled, isClosing) = state.withLock { state in
                defer { state.inbox = [] }
                return (state.inbox, state.cancelled, state.isClosing)
            }
            for job in jobs { transfers.start(job) }
            for id in cancelled { transfers.abort(id) }
            transfers.perform()
            let finished = transfers.takeFinished()
            state.withLock { $0.unfinished -= finished.count }
            for (continuation, result) in finished { continuation.resume(returning: result) }
            if isClosing && transfers.isEmpty && end() { return }
            if finished.isEmpty { multi.wait() }
        }
    }

    /// Frees the handle and lets `close()` return; false where a request slipped in before the closing.
    private func end() -> Bool {
        let closers: [CheckedContinuation<Void, Never>]? = state.withLock { state in
            guard state.inbox.isEmpty else { return nil }
            state.isOver = true
            multi.cleanUp()
            defer { state.closers = [] }
            return state.closers
        }
        guard let closers else { return false }
        for closer in closers { closer.resume() }
        return true
    }
}

/// One request on its way to the thread.
struct CurlJob: Sendable {
    let id: UInt64
    let request: HTTPRequest
    let connection: ConnectionSettings
    let continuation: CheckedContinuation<Result<HTTPResponse, HTTPFailure>, Never>
    /// Takes the body of an answer with status 200 as it comes; nil to keep it.
    var receive: (@Sendable ([UInt8]) -> Bool)?
}

package import Basics
package import OTLP
import Synchronization

/// Hands requests that come to people who watch; while nobody does, a request costs one look at a number.
///
/// Any thread. A watcher that is slow, or a request that is large, gets less: what is left out is counted.
package final class RequestTap: Sendable {
    /// One request as it came.
    package struct Request: Sendable {
        package let batch: Envelope
        package let source: RequestSource
        package let time: UnixTime
        /// Those that took it.
        package let pipelines: [String]
    }

    /// What one person watches.
    package final class Watcher: Sendable {
        /// Requests that wait to be shown, at most.
        static let requestsMax = 8
        /// Bytes and spans of a request that is shown, at most.
        static let bytesMax = 256 << 10
        static let spansMax = 200

        private struct State {
            var waiting: [Request] = []
            var leftOut = 0
        }

        /// In lower case; empty for everything.
        private let text: String
        private let state = Mutex(State())

        fileprivate init(finding text: String) {
            self.text = text.lowercased()
        }

        /// What came since, and how many requests that were looked for were left out.
        package func take() -> (requests: [Request], leftOut: Int) {
            state.withLock { state in
                defer { state = State() }
                return (state.waiting, state.leftOut)
            }
        }

        fileprivate func offer(_ request: Request) {
            let fits = request.batch.bytes.count <= Self.bytesMax && request.batch.unitCount <= Self.spansMax
            let isWanted = text.isEmpty || fits && request.batch.mentions(text)
            guard isWanted else { return }
            state.withLock { state in
                if fits, state.waiting.count < Self.requestsMax {
                    state.waiting.append(request)
                } else {
                    state.leftOut += 1
                }
            }
        }
    }

    private let count = Atomic<Int>(0)
    private let watchers = Mutex<[Watcher]>([])

    package init() {}

    /// Begins to watch requests of spans in which a service, a span's name or status or a trace id has the text in it.
    package func watch(finding text: String) -> Watcher {
        let watcher = Watcher(finding: text)
        watchers.withLock { watchers in
            watchers.append(watcher)
            count.store(watchers.count, ordering: .relaxed)
        }
        return watcher
    }

    /// Ends that.
    package func leave(_ watcher: Watcher) {
        watchers.withLock { watchers in
            watchers.removeAll { $0 === watcher }
            count.store(watchers.count, ordering: .relaxed)
        }
    }

    /// Whether somebody watches.
    var isWatched: Bool { count.load(ordering: .relaxed) > 0 }

    /// Shows a request to whoever watches.
    func offer(_ request: Request) {
        for watcher in watchers.withLock({ $0 }) { watcher.offer(request) }
    }
}

extension Envelope {
    /// Whether one of its spans has a text, in lower case, in its name, its service, its trace id or the word for its status.
    fileprivate func mentions(_ text: String) -> Bool {
        spans.indices.contains { index in
            let span = spans[index]
            let resource = resources[scopes[span.scope].resource]
            let service = attribute("service.name", in: resource.attributes).flatMap { attribute -> String? in
                guard case .string(let range) = value(of: attribute) else { return nil }
                return self.text(range)
            }
            let words = [
                self.text(span.name), service ?? "", "\(span.traceID)", span.statusCode == 2 ? "error" : "",
            ]
            return words.contains { $0.lowercased().contains(text) }
        }
    }
}

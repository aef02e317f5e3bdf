package import Basics
import Synchronization

/// An HTTP client without a network: answers by a function and keeps what was asked.
package final class ScriptedHTTPClient: HTTPClient {
    /// What a request gets.
    package typealias Result = Swift.Result<HTTPResponse, HTTPFailure>

    private let answer: @Sendable (_ request: HTTPRequest, _ number: Int) -> Result
    private let state = Mutex([HTTPRequest]())

    /// - Parameter answer: Gets each request and how many came before it.
    package init(answer: @escaping @Sendable (_ request: HTTPRequest, _ number: Int) -> Result) {
        self.answer = answer
    }

    /// Answers the first request with the first result, and so on; the last one repeats.
    package convenience init(_ results: Result...) {
        self.init { _, number in
            results[min(number, results.count - 1)]
        }
    }

    /// Every request so far, oldest first.
    package var requests: [HTTPRequest] { state.withLock { $0 } }

    /// Method and URL of every request so far, for short comparisons.
    package var calls: [String] { requests.map { "\($0.method) \($0.url)" } }

    package func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPResponse {
        let number = state.withLock { requests in
            requests.append(request)
            return requests.count - 1
        }
        // Lets other tasks in, as a network would.
        await Task.yield()
        return try answer(request, number).get()
    }
}

extension Result where Success == HTTPResponse, Failure == HTTPFailure {
    /// An answer with a text body.
    package static func reply(_ status: Int, _ body: String = "", headers: [HTTPHeader] = []) -> Self {
        .success(HTTPResponse(status: status, headers: headers, body: Array(body.utf8)))
    }
}

extension HTTPRequest {
    /// The value of the first header of that name, whatever its case.
    package func header(_ name: String) -> String? {
        headers.first { $0.name.lowercased() == name.lowercased() }?.value
    }
}

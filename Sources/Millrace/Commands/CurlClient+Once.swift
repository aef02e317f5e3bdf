import ArgumentParser
import Basics
import HTTPClient

extension CurlClient {
    /// Sends one request with a thread of its own, which ends with it; `receive` takes the answer as `stream` has it.
    static func once(
        _ request: HTTPRequest,
        over connection: ConnectionSettings,
        receive: (@Sendable ([UInt8]) -> Bool)? = nil
    ) async -> Result<HTTPResponse, HTTPFailure> {
        let loop = CurlLoop()
        let client = CurlClient(loop: loop, connection: connection)
        let result: Result<HTTPResponse, HTTPFailure>
        do throws(HTTPFailure) {
            if let receive {
                result = .success(try await client.stream(request, receive))
            } else {
                result = .success(try await client.send(request))
            }
        } catch {
            result = .failure(error)
        }
        await loop.close()
        return result
    }
}

extension HTTPHeader {
    /// Reads `NAME:VALUE` of the command line.
    ///
    /// - Throws: What a person is told of anything else.
    init(argument text: String) throws {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else {
            throw ValidationError("\"\(text)\" is no NAME:VALUE, such as x-mlflow-experiment-id:7.")
        }
        self.init(parts[0].lowercased(), String(parts[1].drop { $0 == " " }))
    }
}

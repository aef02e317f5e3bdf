import Basics
import HTTPClient
import TestKit
import Testing

@Suite(.timeLimit(.minutes(10))) struct CurlClientTests {
    private let loop = CurlLoop()
    private var client: CurlClient { CurlClient(loop: loop) }

    private func post(_ url: String, body: [UInt8] = [1, 2, 3], timeout: Duration = .seconds(20)) -> HTTPRequest {
        let headers = [HTTPHeader("Content-Type", "application/x-protobuf"), HTTPHeader("X-Empty", "")]
        return HTTPRequest(method: "POST", url: url, headers: headers, body: body, timeout: timeout)
    }

    @Test func `a request arrives whole and the answer comes back with lower-case names`() async throws {
        let server = try LoopbackServer { request in
            .reply(status: 202, headers: [HTTPHeader("X-Answer", "  yes ")], body: request.body.reversed())
        }
        let body = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let response = try await client.send(post("\(server.url)/v1/traces?a=b", body: body))
        #expect(response.status == 202)
        #expect(response.header("x-answer") == "yes")
        #expect(response.body == body.reversed())
        let request = try #require(server.requests.first)
        #expect(request.method == "POST")
        #expect(request.path == "/v1/traces?a=b")
        #expect(request.body == body)
        #expect(request.header("content-type") == "application/x-protobuf")
        #expect(request.header("content-length") == "3000000")
        #expect(request.header("x-empty") == "")
        #expect(request.header("host") == "127.0.0.1:\(server.port)")
        #expect(request.header("user-agent") == UserAgent.text)
        #expect(request.header("expect") == nil)
    }

    @Test(arguments: ["GET", "PATCH", "POST"])
    func `the method is the one asked for`(method: String) async throws {
        let server = try LoopbackServer { _ in .reply(status: 200) }
        var request = post(server.url, body: method == "PATCH" ? [1] : [])
        request.method = method
        #expect(try await client.send(request).status == 200)
        #expect(server.requests.first?.method == method)
    }

    @Test func `a connection is used again`() async throws {
        let server = try LoopbackServer { _ in .reply(status: 200) }
        for _ in 0..<5 { _ = try await client.send(post(server.url)) }
        #expect(server.requests.map(\.connection) == [0, 0, 0, 0, 0])
    }

    @Test func `a kept connection that died is replaced without the caller noticing`() async throws {
        let server = try LoopbackServer { request in
            // The first connection is closed behind its first answer, without saying so beforehand.
            request.connection == 0
                ? .raw(Array("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".utf8)) : .reply(status: 204)
        }
        #expect(try await client.send(post(server.url)).status == 200)
        #expect(try await client.send(post(server.url)).status == 204)
    }

    @Test func `nobody listening is unreachable`() async throws {
        let server = try LoopbackServer { _ in .cut }
        let url = server.url
        server.close()
        let failure = await #expect(throws: HTTPFailure.self) { try await client.send(post(url)) }
        guard case .unreachable(let reason) = failure else { return #expect(failure == nil) }
        #expect(reason.contains("connect"))
    }

    @Test func `a connection cut before the answer is unreachable`() async throws {
        let server = try LoopbackServer { _ in .cut }
        let failure = await #expect(throws: HTTPFailure.self) { try await client.send(post(server.url)) }
        guard case .unreachable = failure else { return #expect(failure == nil) }
    }

    @Test func `a server that does not answer is a time-out`() async throws {
        let server = try LoopbackServer { _ in .silence }
        await #expect(throws: HTTPFailure.timedOut) {
            try await client.send(post(server.url, timeout: .milliseconds(200)))
        }
    }

    @Test func `an answer over the limit is not read to its end`() async throws {
        let server = try LoopbackServer { _ in .reply(status: 200, body: [UInt8](repeating: 65, count: 5 << 20)) }
        await #expect(throws: HTTPFailure.responseTooLarge) { try await client.send(post(server.url)) }
    }

    @Test func `redirects are not followed`() async throws {
        let server = try LoopbackServer { _ in
            .reply(status: 307, headers: [HTTPHeader("Location", "/elsewhere")])
        }
        #expect(try await client.send(post(server.url)).status == 307)
        #expect(server.requests.count == 1)
    }

    @Test func `cancelling the task aborts the transfer`() async throws {
        let (arrived, arrival) = AsyncStream.makeStream(of: Void.self)
        let server = try LoopbackServer { _ in
            arrival.yield()
            return .silence
        }
        let client = client
        let request = post(server.url)
        let task = Task { () -> HTTPFailure? in
            do throws(HTTPFailure) { _ = try await client.send(request) } catch { return error }
            return nil
        }
        for await _ in arrived { break }
        task.cancel()
        #expect(await task.value == .cancelled)
    }

    @Test func `a task cancelled before it asks gets no transfer`() async throws {
        let server = try LoopbackServer { _ in .reply(status: 200) }
        let client = client
        let request = post(server.url)
        let task = Task { () -> HTTPFailure? in
            withUnsafeCurrentTask { $0?.cancel() }
            do throws(HTTPFailure) { _ = try await client.send(request) } catch { return error }
            return nil
        }
        #expect(await task.value == .cancelled)
        #expect(server.requests.isEmpty)
    }

    @Test func `closing lets what is under way finish and refuses what comes later`() async throws {
        let (arrived, arrival) = AsyncStream.makeStream(of: Void.self)
        let (release, releasing) = AsyncStream.makeStream(of: Void.self)
        let gate = ThreadSignal()
        let server = try LoopbackServer { _ in
            arrival.yield()
            gate.wait()
            return .reply(status: 200)
        }
        let client = client
        let request = post(server.url)
        async let answer = client.send(request)
        for await _ in arrived { break }
        let closing = Task {
            releasing.yield()
            await loop.close()
        }
        for await _ in release { break }
        gate.signal()
        #expect(try await answer.status == 200)
        await closing.value
        await #expect(throws: HTTPFailure.cancelled) { try await client.send(request) }
        await loop.close()
    }

    @Test func `many requests at once are all answered`() async throws {
        let server = try LoopbackServer { .reply(status: 200, body: $0.body) }
        let client = client
        let url = server.url
        let echoed = await withTaskGroup(of: Bool.self) { group in
            for number in 0..<200 {
                let request = post(url, body: Array("\(number)".utf8))
                group.addTask { (try? await client.send(request))?.body == request.body }
            }
            return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
        }
        #expect(echoed == 200)
        #expect(Set(server.requests.map(\.connection)).count <= CurlLoop.connectionsPerHostMax)
    }

    @Test(arguments: ["ftp://127.0.0.1/", "http://", "nonsense://x", ""])
    func `a URL that is not HTTP cannot be sent, which says nothing of a server`(url: String) async throws {
        let failure = await #expect(throws: HTTPFailure.self) { try await client.send(post(url)) }
        guard case .unsendable(let reason) = failure else { return #expect(failure == nil) }
        #expect(!reason.isEmpty)
    }

    @Test(arguments: [2 << 20, 10 << 20])
    func `an address too long for libcurl cannot be sent, and the server sees nothing of it`(bytes: Int) async throws {
        let server = try LoopbackServer { _ in .reply(status: 200) }
        let failure = await #expect(throws: HTTPFailure.self) {
            try await client.send(post(server.url + "/" + String(repeating: "a", count: bytes)))
        }
        guard case .unsendable = failure else { return #expect(failure == nil) }
        #expect(server.requests.isEmpty)
        #expect(try await client.send(post(server.url)).status == 200)
    }
}

import Basics
import Glibc
import TestKit
import Testing

@Suite struct GivenSocketTests {
    private let socket = ListeningSocket()

    private func take(
        _ names: String? = "otlp",
        count: String = "1",
        process: String = "7",
        first: Int32? = nil
    ) throws -> GivenSockets {
        var variables = ["LISTEN_PID": process, "LISTEN_FDS": count]
        variables["LISTEN_FDNAMES"] = names
        return try GivenSockets(variables, process: 7, receivers: ["otlp"], first: first ?? socket.descriptor)
    }

    private func complaint(_ body: () throws -> GivenSockets) -> String? {
        do { _ = try body() } catch { return "\(error)" }
        return nil
    }

    @Test func `a socket is found by its name, closed on exec`() throws {
        let found = try take()["otlp"]
        #expect(found.map(\.address) == [socket.address])
        #expect(fcntl(socket.descriptor, F_GETFD) & FD_CLOEXEC != 0)
        #expect(try take("admin")["admin"].count == 1)
        #expect(try take("admin")["otlp"].isEmpty)
    }

    @Test func `without variables, or with those of another process, there are none`() throws {
        #expect(try GivenSockets([:], process: 7, receivers: ["otlp"], first: 3)["otlp"].isEmpty)
        #expect(try take(process: "8")["otlp"].isEmpty)
        #expect(try take("", count: "0")["otlp"].isEmpty)
    }

    @Test func `what does not fit is named with what is allowed`() {
        let unknown = complaint { try take("oltp") }
        #expect(unknown?.contains(#""oltp"; allowed are "otlp", "admin""#) == true)
        #expect(complaint { try take(nil) }?.contains(#""unknown"; allowed are "otlp""#) == true)
        #expect(complaint { try take("otlp:otlp") } == "LISTEN_FDNAMES has 2 names for 1 sockets")
        #expect(complaint { try take(count: "many") } == #"LISTEN_FDS is "many"; expected 0 to 1024"#)
        #expect(complaint { try take(process: "me") } == #"LISTEN_PID is "me"; expected the id of a process"#)
        #expect(complaint { try take(first: 1000) }?.contains("no stream socket that listens") == true)
        let silent = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        #expect(complaint { try take(first: silent) }?.contains("no stream socket that listens") == true)
        close(silent)
    }
}

import Basics
import CChild
import Configuration
import Glibc

/// A program that this process started.
struct ChildProcess: Sendable {
    /// The numbers of the open files that it has as its standard input and output; standard error is this process's.
    struct Files: Sendable {
        var input: Int32 = 0
        var output: Int32 = 1
    }

    private let pid: pid_t

    /// Starts a program with the variables of this process.
    ///
    /// - Parameters:
    ///   - arguments: Its name, looked for in `PATH` where that has no slash, and what follows.
    ///   - files: What it reads and writes.
    ///   - isApart: Whether a terminal's signals are kept from it.
    /// - Throws: The system's reason, such as `ENOENT`.
    init(_ arguments: [String], files: Files = Files(), isApart: Bool = false) throws(SystemReason) {
        var pointers = arguments.map { unsafe strdup($0) } + [nil]
        defer { for pointer in unsafe pointers { unsafe free(pointer) } }
        pid = unsafe millrace_start_child(&pointers, [files.input, files.output, 2], isApart ? 1 : 0)
        if pid < 0 { throw SystemReason(number: errno) }
    }

    /// Whether it has ended.
    var hasEnded: Bool { millrace_has_ended(pid) != 0 }

    /// Blocks until it has ended; its exit code, or 128 and the number of the signal that ended it.
    ///
    /// To be called once.
    func awaitEnd() -> Int32 { millrace_await_child(pid) }

    /// From now on it gets the signals that would end this process, in place of that; `all` for also those of a terminal.
    func takeSignals(all: Bool) { millrace_pass_signals_to(pid, all ? 1 : 0) }

    /// The number of a signal that came before any child was to take it; nil for none.
    static var keptSignal: Int32? {
        let number = millrace_kept_signal()
        return number == 0 ? nil : number
    }

    /// Keeps the signals that would end this process for the child that is to take them.
    static func keepSignals() { millrace_catch_signals() }
}

/// Why the operating system does not do what it was asked for.
struct SystemReason: Error, CustomStringConvertible {
    /// An `errno`.
    let number: Int32

    /// What the system says of it.
    var description: String { unsafe String(cString: strerror(number)) }
}

extension ListenAddress {
    /// Whether somebody accepts connections there; blocks for a second at most for each address of its host.
    var isAnswered: Bool {
        guard case .tcp(let host, let port) = reachable else { return isAnsweredOnSocketFile }
        let descriptor = millrace_connect_tcp(host, Int32(port), 1000)
        if descriptor >= 0 { close(descriptor) }
        return descriptor >= 0
    }
}

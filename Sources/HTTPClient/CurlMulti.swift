import Basics
import CCurl

/// libcurl's multi handle.
///
/// Sendable because other threads call only `wakeUp`, the one function that libcurl allows them, and `CurlLoop` calls
/// it under the lock under which the handle is freed.
struct CurlMulti: @unchecked Sendable {
    /// How long the thread sleeps without any event; libcurl's own timers wake it earlier.
    private static let idleMilliseconds: Int32 = 60_000
    /// Initialises libcurl once in the process.
    private static let isStarted = millrace_curl_start() == CURLE_OK

    fileprivate let handle: UnsafeMutableRawPointer

    init(connectionsPerHostMax: Int) {
        precondition(Self.isStarted, "libcurl does not start")
        guard let handle = unsafe curl_multi_init() else { preconditionFailure("no memory for libcurl") }
        unsafe self.handle = handle
        unsafe millrace_curl_multi_set_long(handle, CURLMOPT_MAX_HOST_CONNECTIONS, connectionsPerHostMax)
        unsafe millrace_curl_multi_set_long(handle, CURLMOPT_MAXCONNECTS, connectionsPerHostMax * 2)
    }

    /// Lets `wait` return, now or later.
    ///
    /// Any thread.
    func wakeUp() {
        unsafe curl_multi_wakeup(handle)
    }

    /// Blocks until a socket, a timer or `wakeUp` asks for attention.
    func wait() {
        unsafe curl_multi_poll(handle, nil, 0, Self.idleMilliseconds, nil)
    }

    func cleanUp() {
        unsafe curl_multi_cleanup(handle)
    }
}

/// The transfers under way; used by the curl thread alone.
struct CurlTransfers {
    typealias Result = Swift.Result<HTTPResponse, HTTPFailure>

    /// Idle easy handles kept for the next transfers.
    private static let spareMax = 16

    private let multi: CurlMulti
    private var transfers: [UnsafeMutableRawPointer: CurlTransfer] = [:]
    private var spare: [UnsafeMutableRawPointer] = []
    private var finished: [(CheckedContinuation<Result, Never>, Result)] = []

    init(multi: CurlMulti) {
        self.multi = multi
    }

    var isEmpty: Bool { unsafe transfers.isEmpty }

    /// Begins a transfer; one that cannot begin is finished at once.
    mutating func start(_ job: CurlJob) {
        guard let handle = unsafe spare.popLast() ?? curl_easy_init() else {
            return finished.append((job.continuation, .failure(.unsendable("no memory for libcurl"))))
        }
        let transfer = unsafe CurlTransfer(job, handle: handle)
        unsafe transfers[handle] = transfer
        let code = transfer.configure()
        guard code == CURLE_OK, unsafe curl_multi_add_handle(multi.handle, handle) == CURLM_OK else {
            return unsafe end(handle, .failure(transfer.failure(code)))
        }
    }

    /// Gives up the transfer of that request, where it is still under way.
    mutating func abort(_ id: UInt64) {
        guard let handle = unsafe transfers.first(where: { unsafe $0.value.job.id == id })?.key else { return }
        unsafe end(handle, .failure(.cancelled))
    }

    /// Moves every transfer as far as it goes without waiting.
    mutating func perform() {
        var running: Int32 = 0
        unsafe curl_multi_perform(multi.handle, &running)
        var left: Int32 = 0
        while let message = unsafe curl_multi_info_read(multi.handle, &left) {
            guard unsafe message.pointee.msg == CURLMSG_DONE, let handle = unsafe message.pointee.easy_handle,
                let transfer = unsafe transfers[handle]
            else { continue }
            // Read before the handle is removed, which frees the message.
            let code = unsafe message.pointee.data.result
            unsafe end(handle, transfer.result(code))
        }
    }

    /// What ended since the last call.
    mutating func takeFinished() -> [(CheckedContinuation<Result, Never>, Result)] {
        defer { finished = [] }
        return finished
    }

    private mutating func end(_ handle: UnsafeMutableRawPointer, _ result: Result) {
        guard let transfer = unsafe transfers.removeValue(forKey: handle) else { return }
        unsafe curl_multi_remove_handle(multi.handle, handle)
        transfer.release()
        if unsafe spare.count < Self.spareMax {
            unsafe curl_easy_reset(handle)
            unsafe spare.append(handle)
        } else {
            unsafe curl_easy_cleanup(handle)
        }
        finished.append((transfer.job.continuation, result))
    }
}

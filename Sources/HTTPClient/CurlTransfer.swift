import Basics
import CCurl
import Glibc

/// One request and its answer, as libcurl's callbacks see them; used by the curl thread alone.
///
/// The body is handed to libcurl by its read callback, so that no pointer into it outlives a call; libcurl may rewind
/// it where a kept connection turns out to be dead.
final class CurlTransfer {
    /// Bytes of header fields that are kept; what comes after is ignored.
    static let headerBytesMax = 64 << 10

    let job: CurlJob
    private let handle: UnsafeMutableRawPointer
    private let errorText: UnsafeMutablePointer<CChar>
    private var headerList: UnsafeMutablePointer<curl_slist>?
    private var connectTo: UnsafeMutablePointer<curl_slist>?
    private var sent = 0
    private var headers: [HTTPHeader] = []
    private var headerBytes = 0
    private var body: [UInt8] = []
    private var isTooLarge = false

    init(_ job: CurlJob, handle: UnsafeMutableRawPointer) {
        self.job = job
        unsafe self.handle = handle
        unsafe errorText = .allocate(capacity: Int(CURL_ERROR_SIZE))
        unsafe errorText.initialize(repeating: 0, count: Int(CURL_ERROR_SIZE))
    }

    /// Frees what libcurl pointed to; the handle is out of the multi handle by then.
    func release() {
        unsafe curl_slist_free_all(headerList)
        unsafe curl_slist_free_all(connectTo)
        unsafe headerList = nil
        unsafe connectTo = nil
        unsafe millrace_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, nil)
        unsafe errorText.deallocate()
    }

    /// What became of the transfer that ended with `code`.
    func result(_ code: CURLcode) -> Result<HTTPResponse, HTTPFailure> {
        guard code == CURLE_OK else { return .failure(failure(code)) }
        let status = unsafe millrace_curl_get_long(handle, CURLINFO_RESPONSE_CODE)
        return .success(HTTPResponse(status: status, headers: headers, body: body))
    }

    func failure(_ code: CURLcode) -> HTTPFailure {
        if isTooLarge { return .responseTooLarge }
        // Before the request could be written, a time-out says only that nobody is there.
        let isConnected = unsafe millrace_curl_get_size(handle, CURLINFO_PRETRANSFER_TIME_T) > 0
        if code == CURLE_OPERATION_TIMEDOUT && isConnected { return .timedOut }
        let detail = unsafe String(cString: errorText)
        let reason = detail.isEmpty ? unsafe String(cString: curl_easy_strerror(code)) : detail
        let isUnsent = unsafe millrace_curl_get_long(handle, CURLINFO_REQUEST_SIZE) == 0
        return isUnsent && Self.requestErrors.contains(code.rawValue) ? .unsendable(reason) : .unreachable(reason)
    }

    /// What libcurl says where it cannot write the request: a wrong address, or one that is over its limits.
    private static let requestErrors: Set = [
        CURLE_URL_MALFORMAT.rawValue, CURLE_UNSUPPORTED_PROTOCOL.rawValue, CURLE_BAD_FUNCTION_ARGUMENT.rawValue,
        CURLE_OUT_OF_MEMORY.rawValue,
        // CURLE_TOO_LARGE, which takes the place of the one before from libcurl 8.6 on.
        100,
    ]
}

extension CurlTransfer {
    /// How long authorities that were read from a file are used for new connections.
    private static let cacheSeconds = 60

    /// Sets every option; the first that libcurl refuses is the result.
    func configure() -> CURLcode {
        for step in [configureRequest, configureHeaders, configureConnection, configureTLS] {
            let code = step()
            guard code == CURLE_OK else { return code }
        }
        return CURLE_OK
    }

    private func configureRequest() -> CURLcode {
        let request = job.request
        let owner = unsafe Unmanaged.passUnretained(self).toOpaque()
        let hasBody = !request.body.isEmpty || request.method == "POST"
        var code = unsafe millrace_curl_set_callbacks(
            handle,
            CurlCallbacks.read,
            CurlCallbacks.seek,
            CurlCallbacks.write,
            CurlCallbacks.header,
            owner
        )
        unsafe millrace_curl_set_pointer(handle, CURLOPT_ERRORBUFFER, errorText)
        if code == CURLE_OK { code = set(CURLOPT_URL, request.url) }
        if code == CURLE_OK { code = set(CURLOPT_PROTOCOLS_STR, "http,https") }
        if code == CURLE_OK, hasBody {
            code = set(CURLOPT_POST, 1)
            unsafe millrace_curl_set_size(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.count))
            // A buffer that small bodies fit into whole.
            _ = set(CURLOPT_UPLOAD_BUFFERSIZE, min(max(request.body.count, 64 << 10), 512 << 10))
        }
        if code == CURLE_OK, request.method != (hasBody ? "POST" : "GET") {
            code = set(CURLOPT_CUSTOMREQUEST, request.method)
        }
        if code == CURLE_OK { code = set(CURLOPT_TIMEOUT_MS, Self.milliseconds(request.timeout)) }
        return code
    }

    private func configureHeaders() -> CURLcode {
        var lines = ["Expect:"]
        var names: Set<String> = []
        for header in job.request.headers where header.isSendable {
            lines.append(header.value.isEmpty ? "\(header.name);" : "\(header.name): \(header.value)")
            names.insert(header.name.lowercased())
        }
        // Otherwise libcurl declares a form.
        if !names.contains("content-type") { lines.append("Content-Type:") }
        for line in lines {
            guard let list = unsafe curl_slist_append(headerList, line) else { return CURLE_OUT_OF_MEMORY }
            unsafe headerList = list
        }
        let code = unsafe millrace_curl_set_pointer(handle, CURLOPT_HTTPHEADER, headerList)
        guard code == CURLE_OK, !names.contains("user-agent") else { return code }
        return set(CURLOPT_USERAGENT, UserAgent.text)
    }

    private func configureConnection() -> CURLcode {
        let connection = job.connection
        var code = configureVersion()
        _ = set(CURLOPT_NOSIGNAL, 1)
        _ = set(CURLOPT_TCP_KEEPALIVE, 1)
        if code == CURLE_OK { code = set(CURLOPT_FOLLOWLOCATION, 0) }
        if code == CURLE_OK { code = set(CURLOPT_CONNECTTIMEOUT_MS, Self.milliseconds(connection.connectTimeout)) }
        if code == CURLE_OK, let proxy = connection.proxy { code = set(CURLOPT_PROXY, proxy) }
        // Else `no_proxy` would also count for what the pipeline file says.
        if code == CURLE_OK, connection.proxy != nil { code = set(CURLOPT_NOPROXY, "") }
        if code == CURLE_OK, let path = connection.unixSocket { code = set(CURLOPT_UNIX_SOCKET_PATH, path) }
        return code
    }

    private func configureVersion() -> CURLcode {
        let isSecure = job.request.url.lowercased().hasPrefix("https:")
        // HTTP/2 only where TLS negotiates it or nothing else will do: plain text stays at HTTP/1.1.
        guard job.connection.needsHTTP2, !isSecure else { return set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS) }
        // A proxy would answer for itself, in HTTP/1.1.
        _ = set(CURLOPT_HTTPPROXYTUNNEL, 1)
        return set(CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE)
    }

    private func configureTLS() -> CURLcode {
        let tls = job.connection.tls
        var code = set(CURLOPT_SSL_VERIFYPEER, tls.verify ? 1 : 0)
        if code == CURLE_OK { code = set(CURLOPT_SSL_VERIFYHOST, tls.verify ? 2 : 0) }
        if code == CURLE_OK { code = set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2) }
        if code == CURLE_OK, let ca = tls.ca { code = set(CURLOPT_CAINFO, ca) }
        // Otherwise what the file had at first is used for a day.
        if code == CURLE_OK, tls.ca != nil { code = set(CURLOPT_CA_CACHE_TIMEOUT, Self.cacheSeconds) }
        if code == CURLE_OK, let pin = tls.publicKeyPin { code = set(CURLOPT_PINNEDPUBLICKEY, pin) }
        if code == CURLE_OK, let certificate = tls.certificate { code = set(CURLOPT_SSLCERT, certificate) }
        if code == CURLE_OK, let key = tls.key ?? tls.certificate { code = set(CURLOPT_SSLKEY, key) }
        // A key that is encrypted must not make OpenSSL ask for the passphrase at the terminal.
        if code == CURLE_OK, tls.certificate != nil { code = set(CURLOPT_KEYPASSWD, "") }
        if code == CURLE_OK, let name = tls.serverName, let route = ServerNameRoute(job.request.url, name: name) {
            code = set(CURLOPT_URL, route.url)
            unsafe connectTo = curl_slist_append(nil, route.connectTo)
            unsafe headerList = curl_slist_append(headerList, "Host: \(route.host)")
            unsafe millrace_curl_set_pointer(handle, CURLOPT_HTTPHEADER, headerList)
            unsafe millrace_curl_set_pointer(handle, CURLOPT_CONNECT_TO, connectTo)
        }
        return code
    }

    private func set(_ option: CURLoption, _ value: Int) -> CURLcode {
        unsafe millrace_curl_set_long(handle, option, value)
    }

    /// libcurl copies the text.
    private func set(_ option: CURLoption, _ value: String) -> CURLcode {
        unsafe millrace_curl_set_string(handle, option, value)
    }

    private static func milliseconds(_ duration: Duration) -> Int {
        Int(clamping: max(1, min(duration.wholeNanoseconds / 1_000_000, Int64(Int32.max))))
    }
}

extension CurlTransfer {
    /// Hands the next bytes of the request's body to libcurl.
    fileprivate func read(into buffer: UnsafeMutableRawBufferPointer) -> Int {
        let count = min(buffer.count, job.request.body.count - sent)
        job.request.body.withUnsafeBytes { bytes in
            buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[sent..<sent + count]))
        }
        sent += count
        return count
    }

    fileprivate func seek(to offset: Int, from origin: Int32) -> Int32 {
        guard origin == SEEK_SET, (0...job.request.body.count).contains(offset) else { return CURL_SEEKFUNC_FAIL }
        sent = offset
        return CURL_SEEKFUNC_OK
    }

    /// Takes bytes of the answer's body; fewer than given ends the transfer.
    fileprivate func write(_ bytes: UnsafeRawBufferPointer) -> Int {
        if let receive = job.receive,
            unsafe millrace_curl_get_long(handle, CURLINFO_RESPONSE_CODE) == 200
        {
            return receive(Array(bytes)) ? bytes.count : 0
        }
        guard body.count + bytes.count <= job.connection.responseMax.bytes else {
            isTooLarge = true
            return 0
        }
        body.append(contentsOf: bytes)
        return bytes.count
    }

    /// Takes one line of the answer's head.
    fileprivate func header(_ bytes: UnsafeRawBufferPointer) -> Int {
        let line = unsafe String(decoding: bytes, as: UTF8.self)
        if line.hasPrefix("HTTP/") {
            // A head before this one was interim (100) or a proxy's.
            headers = []
            headerBytes = 0
        } else if let colon = line.firstIndex(of: ":"), headerBytes + bytes.count <= Self.headerBytesMax {
            headerBytes += bytes.count
            let value = line[line.index(after: colon)...].trimmingWhitespace
            headers.append(HTTPHeader(line[..<colon].lowercased(), String(value)))
        }
        return bytes.count
    }
}

/// The functions that libcurl calls; each finds its transfer behind the pointer that libcurl hands back.
private enum CurlCallbacks {
    static let read: curl_read_callback = { buffer, size, count, owner in
        guard let buffer = unsafe buffer, let owner = unsafe owner else { return 0 }
        let room = unsafe UnsafeMutableRawBufferPointer(start: buffer, count: size * count)
        return unsafe transfer(owner).read(into: room)
    }

    static let seek: curl_seek_callback = { owner, offset, origin in
        guard let owner = unsafe owner else { return CURL_SEEKFUNC_FAIL }
        return unsafe transfer(owner).seek(to: Int(offset), from: origin)
    }

    static let write: curl_write_callback = { bytes, size, count, owner in
        guard let owner = unsafe owner else { return 0 }
        return unsafe transfer(owner).write(UnsafeRawBufferPointer(start: bytes, count: size * count))
    }

    static let header: curl_write_callback = { bytes, size, count, owner in
        guard let owner = unsafe owner else { return 0 }
        return unsafe transfer(owner).header(UnsafeRawBufferPointer(start: bytes, count: size * count))
    }

    private static func transfer(_ owner: UnsafeMutableRawPointer) -> CurlTransfer {
        unsafe Unmanaged<CurlTransfer>.fromOpaque(owner).takeUnretainedValue()
    }
}

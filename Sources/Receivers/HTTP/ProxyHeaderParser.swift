import Basics

/// Reads the header of the PROXY protocol, versions 1 and 2, in pieces of any size (haproxy's `proxy-protocol.txt`).
///
/// Version 1 is a line of at most 107 bytes:
///
///     PROXY TCP4|TCP6 SOURCE DESTINATION SOURCEPORT DESTINATIONPORT\r\n
///     PROXY UNKNOWN[ anything]\r\n
///
/// Version 2, numbers in network order:
///
///     offset  bytes
///          0     12  0D 0A 0D 0A 00 0D 0A 51 55 49 54 0A
///         12      1  the version, 2, in the upper half; 0 (local) or 1 (proxy) in the lower
///         13      1  the family in the upper half: 0 none, 1 IPv4, 2 IPv6, 3 unix; the transport in the lower: 1 a stream
///         14      2  how many bytes follow, here at most 4,096
///         16      …  source and destination (4, 16 or 108 bytes each), two ports of 2 bytes unless of unix; then what else
///                    the balancer tells (TLVs), which is skipped
struct ProxyHeaderParser: Sendable {
    /// Who a connection is from.
    enum Source: Equatable, Sendable {
        /// The balancer itself: to see whether somebody answers, or because it does not know.
        case balancer
        case address(IPAddress)
        /// Somebody on a unix socket of the balancer's machine.
        case unix
    }

    /// A header that has come whole.
    struct Header: Equatable, Sendable {
        let source: Source
        /// How many of the bytes taken last belong to it; what follows is the client's.
        let used: Int
    }

    /// Why what came is no header; the `reason` label.
    enum Failure: String, Error, CaseIterable {
        /// It is something else.
        case missing
        case malformed
        case tooLong = "too_long"
        /// The connection ended in the middle of it.
        case truncated
    }

    private static let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
    private static let word = Array("PROXY ".utf8)
    private static let lineMax = 107
    private static let fixedBytes = 16
    private static let lengthMax = 4096

    private var bytes: [UInt8] = []

    /// Whether some of it has come.
    var hasBegun: Bool { !bytes.isEmpty }

    /// Takes the next bytes; nil while more are needed.
    mutating func take(_ part: some Collection<UInt8>) throws(Failure) -> Header? {
        let before = bytes.count
        // No header is longer, so that what is left out is never needed.
        bytes += part.prefix(Self.fixedBytes + Self.lengthMax - before)
        guard let (source, end) = try read() else { return nil }
        return Header(source: source, used: end - before)
    }

    private func read() throws(Failure) -> (Source, end: Int)? {
        if Self.signature.starts(with: bytes.prefix(Self.signature.count)) { return try readBinary() }
        if Self.word.starts(with: bytes.prefix(Self.word.count)) { return try readLine() }
        throw .missing
    }

    private func readBinary() throws(Failure) -> (Source, end: Int)? {
        if bytes.count > 12, bytes[12] != 0x20, bytes[12] != 0x21 { throw .malformed }
        guard bytes.count >= Self.fixedBytes else { return nil }
        let length = Int(bytes[14]) << 8 | Int(bytes[15])
        guard length <= Self.lengthMax else { throw .tooLong }
        let end = Self.fixedBytes + length
        if bytes[12] == 0x20 { return bytes.count < end ? nil : (.balancer, end) }
        // The length that the addresses take, and how much of that is the source's.
        let (least, count): (Int, Int)
        switch bytes[13] {
        case 0x00...0x02: (least, count) = (0, 0)
        case 0x11: (least, count) = (12, 4)
        case 0x21: (least, count) = (36, 16)
        case 0x31: (least, count) = (216, 0)
        default: throw .malformed
        }
        guard length >= least else { throw .malformed }
        guard bytes.count >= end else { return nil }
        if let address = IPAddress(networkBytes: bytes[Self.fixedBytes..<Self.fixedBytes + count]) {
            return (.address(address), end)
        }
        return (least == 0 ? .balancer : .unix, end)
    }

    private func readLine() throws(Failure) -> (Source, end: Int)? {
        let line = bytes.prefix(Self.lineMax)
        guard let feed = line.firstIndex(of: 0x0A) else {
            if line.count == Self.lineMax { throw .tooLong }
            return nil
        }
        guard feed > 0, bytes[feed - 1] == 0x0D else { throw .malformed }
        let words = String(decoding: bytes[..<(feed - 1)], as: UTF8.self)
            .split(separator: " ", omittingEmptySubsequences: false)
        let end = feed + 1
        if words[1] == "UNKNOWN" { return (.balancer, end) }
        guard words.count == 6, words[1] == "TCP4" || words[1] == "TCP6",
            let source = IPAddress(text: words[2]), let destination = IPAddress(text: words[3]),
            // An IPv4 address may be written as IPv6, and not the other way round.
            words[1] == "TCP6" || source.isIPv4 && destination.isIPv4,
            words[4...].allSatisfy({ $0.utf8.count <= 5 && $0.utf8.allSatisfy(\.isDigit) && UInt16($0) != nil })
        else { throw .malformed }
        return (.address(source), end)
    }
}

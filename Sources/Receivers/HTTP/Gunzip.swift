package import Basics

/// Why bytes are no gzip, or too many.
package struct GunzipError: Error, Sendable {
    package let reason: String
}

/// Inflates a whole gzip file.
///
/// - Throws: Where it is damaged, ends early, or becomes larger than `max`.
package func gunzip(_ bytes: [UInt8], max: ByteCount) throws(GunzipError) -> [UInt8] {
    var inflated: [UInt8] = []
    do throws(HTTPError) {
        let decoder = ContentDecoder([.gzip], limit: max)
        try decoder.decode(bytes.span.bytes) { inflated += $0 }
        try decoder.finish()
    } catch {
        throw GunzipError(reason: error.message)
    }
    return inflated
}

import Basics
import OTLP
import Receivers
import Settings

/// Why a body cannot be used for a dry run, and where.
package struct DryRunBodyError: Error, Sendable, CustomStringConvertible {
    package let description: String
}

/// The largest body of a dry run, before and after inflation.
private let bodyMax = ByteCount.mebibytes(64)

/// The export request of a dry run.
package struct DryRunBody: Sendable {
    let batch: Envelope

    /// Reads a file; blocks.
    ///
    /// A gzipped one is inflated. A name that ends in `.json` or `.pb` says what it is, of any other file the first byte.
    package init(_ path: String, signal: Signal = .traces) throws(DryRunBodyError) {
        let (name, bytes) = try Self.inflated(path)
        let first = bytes.first { !" \t\r\n".utf8.contains($0) }
        let isJSON = name.hasSuffix(".json") || (!name.hasSuffix(".pb") && first == UInt8(ascii: "{"))
        do throws(WireError) {
            batch = isJSON ? try Envelope(json: bytes, signal: signal) : try Envelope(bytes, signal: signal)
            if signal == .traces, !isJSON, batch.keptCount == 0, let signal = Self.otherSignal(of: bytes) {
                throw WireError.malformed(offset: 0, reason: "these are \(signal.items); only spans can be tried")
            }
        } catch {
            guard isJSON, case .malformed(let offset, let reason) = error else {
                throw DryRunBodyError(description: "\(path): \(error)")
            }
            let (line, column) = SourceText(name: path, bytes: bytes).position(of: offset)
            throw DryRunBodyError(description: "\(path):\(line):\(column): \(reason)")
        }
    }

    /// The signal other than traces that a body without a valid span is of; nil where it may be spans.
    private static func otherSignal(of bytes: [UInt8]) -> Signal? {
        [Signal.logs, .metrics].first { signal in
            guard let envelope = try? Envelope(bytes, signal: signal) else { return false }
            return envelope.unitCount > 0 && envelope.removedCount(.invalid) == 0
        }
    }

    /// The bytes, and the name without what stands for gzip.
    private static func inflated(_ path: String) throws(DryRunBodyError) -> (name: String, bytes: [UInt8]) {
        let bytes: [UInt8]
        do throws(FileReadError) {
            bytes = try readFile(path, max: bodyMax)
        } catch {
            throw DryRunBodyError(description: "\(path): cannot be read: \(error.reason)")
        }
        guard bytes.starts(with: [0x1F, 0x8B]) else { return (path, bytes) }
        do throws(GunzipError) {
            return (path.hasSuffix(".gz") ? String(path.dropLast(3)) : path, try gunzip(bytes, max: bodyMax))
        } catch {
            throw DryRunBodyError(description: "\(path): \(error.reason)")
        }
    }
}

extension Envelope {
    /// Reads an export request in OTLP/JSON.
    init(json: [UInt8], signal: Signal = .traces) throws(WireError) {
        var deviations = DeviationCounts()
        try self.init(OTLPJSON.decode(json, signal: signal, deviations: &deviations), signal: signal)
    }
}

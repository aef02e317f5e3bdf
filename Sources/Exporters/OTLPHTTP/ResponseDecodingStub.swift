import Basics
import OTLP
enum ResponseEncoding { case protobuf, json }
struct ExportResponse { var rejected: Int64; var message: String
    init?(decoding body: [UInt8], _ encoding: ResponseEncoding, signal: Signal) {
        guard encoding == .json, let node = try? JSONNode(parsing: body), let partial = node["partialSuccess"] else { return nil }
        rejected = Int64(partial["rejectedSpans"]?.integer ?? 0); message = partial["errorMessage"]?.string ?? ""
    } }
struct RPCStatus { var code: Int32; var message: String
    init?(decoding body: [UInt8], _ encoding: ResponseEncoding) { return nil } }

enum OTLPJSON { static func encode(_ wire: [UInt8], signal: Signal) throws -> [UInt8] { wire } }

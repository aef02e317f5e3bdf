import Foundation
import Oracle
import SwiftProtobuf
import Testing

@testable import OTLP

@Suite struct ResponseTests {
    typealias OracleStatus = Google_Rpc_Status

    @Test func `a full success is empty`() {
        for signal in Signal.allCases {
            #expect(ExportResponse().encoded(.protobuf, signal: signal).isEmpty)
            #expect(ExportResponse().encoded(.json, signal: signal) == Array("{}".utf8))
        }
    }

    @Test(arguments: [(Int64(3), "2 spans: trace_id is not 16 bytes"), (0, "deprecated"), (Int64.max, "")])
    func `a partial success is read by swift-protobuf and by us`(rejected: Int64, message: String) throws {
        let response = ExportResponse(rejected: rejected, message: message)
        let wire = response.encoded(.protobuf, signal: .traces)
        let json = response.encoded(.json, signal: .traces)
        for decoded in [try Response(wire: wire), try Response(jsonUTF8Bytes: json)] {
            #expect(decoded.partialSuccess.rejectedSpans == rejected)
            #expect(decoded.partialSuccess.errorMessage == message)
        }
        #expect(ExportResponse(decoding: wire, .protobuf, signal: .traces) == response)
        #expect(ExportResponse(decoding: json, .json, signal: .traces) == response)
    }

    @Test func `each signal has its own name for what was rejected`() {
        let names = Signal.allCases.map {
            String(decoding: ExportResponse(rejected: 1).encoded(.json, signal: $0), as: UTF8.self)
        }
        #expect(
            names == [
                #"{"partialSuccess":{"rejectedSpans":"1"}}"#, #"{"partialSuccess":{"rejectedDataPoints":"1"}}"#,
                #"{"partialSuccess":{"rejectedLogRecords":"1"}}"#,
            ]
        )
    }

    @Test(arguments: [
        #"{}"#, #"{"partialSuccess":null}"#, #"{"partialSuccess":{}}"#, #"{"partial_success":{"rejected_spans":0}}"#,
        #"{"status":"ok"}"#,
    ])
    func `other forms of success are read`(json: String) {
        #expect(ExportResponse(decoding: Array(json.utf8), .json, signal: .traces) == ExportResponse())
    }

    @Test func `snake case and plain numbers are read`() {
        let json = Array(#"{"partial_success":{"rejected_spans":4,"error_message":"no"}}"#.utf8)
        #expect(
            ExportResponse(decoding: json, .json, signal: .traces) == ExportResponse(rejected: 4, message: "no")
        )
    }

    @Test func `what cannot be read is nil`() {
        #expect(ExportResponse(decoding: Array("OK".utf8), .json, signal: .traces) == nil)
        #expect(ExportResponse(decoding: [0x0A, 9], .protobuf, signal: .traces) == nil)
        #expect(RPCStatus(decoding: Array("[]".utf8), .json) == nil)
        #expect(RPCStatus(decoding: [0x12, 200], .protobuf) == nil)
    }

    @Test(arguments: [(Int32(0), "byte 7: broken \"frame\""), (3, ""), (-1, "é")])
    func `a status is read by swift-protobuf and by us`(code: Int32, message: String) throws {
        let status = RPCStatus(code: code, message: message)
        let wire = status.encoded(.protobuf)
        let json = status.encoded(.json)
        for decoded in [try OracleStatus(wire: wire), try OracleStatus(jsonUTF8Bytes: json)] {
            #expect(decoded.code == code)
            #expect(decoded.message == message)
        }
        #expect(RPCStatus(decoding: wire, .protobuf) == status)
        #expect(RPCStatus(decoding: json, .json) == status)
    }
}

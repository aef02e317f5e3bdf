import Oracle

@testable import OTLP

extension Signal {
    /// How swift-protobuf knows its requests.
    var oracle: any OracleRequest.Type {
        switch self {
        case .traces: Request.self
        case .metrics: MetricsRequest.self
        case .logs: LogsRequest.self
        }
    }
}

/// The wire form of a random request, written in whatever way protobuf allows.
func randomWire(_ signal: Signal, seed: UInt64, isMangled: Bool = true) throws -> [UInt8] {
    var source = RandomRequests(seed: seed)
    let wire = try randomRequest(signal.oracle, &source)
    guard isMangled else { return wire }
    var mangler = WireMangler(seed: seed)
    return try mangler.request(wire, signal)
}

private func randomRequest<Message: OracleRequest>(
    _ type: Message.Type,
    _ source: inout RandomRequests
) throws -> [UInt8] {
    try source.request(type).wire
}

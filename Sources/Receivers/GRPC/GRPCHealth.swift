import Basics
import OTLP
import Pipeline

/// The standard health service (`grpc.health.v1`): SERVING until the process is told to stop.
enum GRPCHealth {
    /// Names of services are short.
    static let requestMax = ByteCount.kibibytes(1)

    /// The answer to a `Check`.
    ///
    /// - Parameters:
    ///   - request: A `HealthCheckRequest`.
    ///   - signals: What the receiver takes.
    ///   - isServing: Whether new calls are welcome.
    /// - Returns: SERVING or NOT_SERVING, or that there is no such service.
    static func check(_ request: [UInt8], of signals: Set<Signal>, isServing: Bool) -> GRPCAnswer {
        guard let service = try? service(of: request) else {
            return GRPCAnswer(.invalidArgument, "the message is no HealthCheckRequest")
        }
        guard service.isEmpty || signals.contains(where: { $0.serviceName == service }) else {
            return GRPCAnswer(.notFound, "\"\(service.excerpt(max: 120))\" is not served here")
        }
        return GRPCAnswer(message: [0x08, isServing ? 1 : 2])
    }

    private static func service(of request: [UInt8]) throws(WireError) -> String {
        let text = request.span.bytes
        var (reader, service) = (WireReader(0..<request.count), "")
        while let field = try reader.next(in: text) {
            if field.number == 1, field.form == .lengthDelimited { service = text.text(field.content) }
        }
        return service
    }
}

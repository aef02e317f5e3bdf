import Basics
import NIOCore
import NIOHPACK
import OTLP
import Pipeline

/// What a call asks for.
enum GRPCMethod: Equatable {
    /// OTLP's `Export`.
    case export(Signal)
    /// Whether a service is there (`grpc.health.v1`); everybody may ask, as balancers do.
    case health

    /// Of the standard health service.
    static let healthPath = "/grpc.health.v1.Health/Check"

    /// The method of a path; nil for one that is not served.
    init?(path: String) {
        if path == Self.healthPath {
            self = .health
            return
        }
        guard let signal = Signal.allCases.first(where: { path == $0.grpcPath }) else { return nil }
        self = .export(signal)
    }

    /// The signal of an export.
    var signal: Signal? {
        switch self {
        case .export(let signal): signal
        case .health: nil
        }
    }
}

/// What the head of a call says, read once.
struct GRPCHead {
    let method: GRPCMethod
    let headers: RequestHeaders
    /// How a message with the compressed flag is packed; nil for calls that pack none.
    let coding: ContentCoding?
    /// What a message with that flag writes otherwise than OTLP asks.
    let deviations: DeviationCounts
    /// How long the client waits; nil for as long as it takes.
    let timeout: TimeAmount?

    /// Decides by the head alone.
    init(_ fields: HPACKHeaders, _ headers: RequestHeaders, taking signals: Set<Signal>) throws(HTTPError) {
        self.headers = headers
        let path = fields.first(name: ":path") ?? ""
        guard let method = GRPCMethod(path: path) else {
            let names = Signal.allCases.filter(signals.contains).map(\.grpcPath) + [GRPCMethod.healthPath]
            let what = "\"\(path.excerpt(max: 120))\" is not served here; allowed"
            throw HTTPError(.notFound, "\(what): \(names.joined(separator: ", "))")
        }
        self.method = method
        if let signal = method.signal, !signals.contains(signal) { throw .notTaken(signal, only: signals) }
        let coding = fields.first(name: "grpc-encoding") ?? "identity"
        self.coding = try Self.coding(coding)
        deviations = ContentCoding.deviations(in: [coding[...].trimmed])
        timeout = try fields.first(name: "grpc-timeout").map { (text) throws(HTTPError) in
            guard let timeout = TimeAmount(grpc: text) else {
                throw HTTPError(
                    .badRequest,
                    "the grpc-timeout \"\(text.excerpt(max: 20))\" is none; allowed: up to eight digits and one of H, M, S, m, u, n"
                )
            }
            return timeout
        }
    }

    /// Whether a content type is gRPC's with protobuf.
    static func isGRPC(_ contentType: Substring?) -> Bool {
        guard let type = contentType?.prefix(while: { $0 != ";" }) else { return false }
        return type.trimmed.isHeader("application/grpc") || type.trimmed.isHeader("application/grpc+proto")
    }

    private static func coding(_ name: String) throws(HTTPError) -> ContentCoding? {
        let coding = name[...].trimmed
        if coding.isHeader("identity") { return nil }
        if let coding = ContentCoding(coding) { return coding }
        let allowed = GRPCAnswer.acceptedEncodings.replacing(",", with: ", ")
        throw HTTPError(.unsupportedMediaType, "the grpc-encoding \"\(coding)\" is not supported; allowed: \(allowed)")
    }
}

extension TimeAmount {
    /// A `grpc-timeout`, such as `10S`; nil for anything else.
    init?(grpc text: String) {
        guard let unit = text.last, (2...9).contains(text.utf8.count),
            text.dropLast().utf8.allSatisfy(\.isDigit), let count = Int64(text.dropLast())
        else { return nil }
        switch unit {
        case "H": self = .hours(count)
        case "M": self = .minutes(count)
        case "S": self = .seconds(count)
        case "m": self = .milliseconds(count)
        case "u": self = .microseconds(count)
        case "n": self = .nanoseconds(count)
        default: return nil
        }
    }
}

extension RequestHeaders {
    /// - Parameters:
    ///   - fields: The head of a call.
    ///   - keptNames: Names in lower case.
    init(_ fields: HPACKHeaders, keeping keptNames: [String]) {
        self.init()
        for (name, value, _) in fields where !name.hasPrefix(":") { note(name, value, keeping: keptNames) }
    }
}

/// The prefix of a message: whether it is compressed, and how long it is.
struct GRPCPrefix {
    static let length = 5

    let isCompressed: Bool
    /// Bytes on the wire.
    let count: Int

    /// Throws for a flag that is none.
    init(_ bytes: [UInt8]) throws(HTTPError) {
        guard bytes[0] <= 1 else {
            throw HTTPError(.badRequest, "the message's compressed flag is \(bytes[0]); allowed: 0 or 1")
        }
        isCompressed = bytes[0] == 1
        count = bytes[1...].reduce(0) { $0 << 8 | Int($1) }
    }
}

/// The protocols of OTLP.
package enum OTLPSpeech: Sendable {
    case http, grpc
}

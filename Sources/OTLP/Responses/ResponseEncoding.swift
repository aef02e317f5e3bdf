/// How an answer is written; the same as the request it answers (protocol section "OTLP/HTTP Response").
package enum ResponseEncoding: Sendable, Hashable {
    case protobuf
    case json
}

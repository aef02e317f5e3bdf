/// What an answer is counted under in `millrace_receiver_requests_total`.
enum AnswerCode: Hashable {
    case http(HTTPStatus)
    case grpc(GRPCCode)

    /// The value of the label `code`: a number of HTTP, a name of gRPC.
    var label: String {
        switch self {
        case .http(let status): String(status.rawValue)
        case .grpc(let code): code.name
        }
    }
}

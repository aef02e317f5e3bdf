import Configuration

/// What a person who has started the process wants to do next: send something, with a line to copy.
struct Greeting {
    private let addresses: [AppAddress]
    /// The pipeline file's path; nil for the built-in one.
    private let path: String?

    init(_ file: PipelineFile, from path: String?) {
        addresses = file.appAddresses
        self.path = path
    }

    /// Several lines.
    var text: String {
        guard let first = addresses.first else { return "no receiver listens where apps can send to" }
        let places = addresses.reduce(into: [String]()) { places, address in
            let place = "\(address.endpoint) (\(address.protocol == "grpc" ? "gRPC" : "HTTP"))"
            if !places.contains(place) { places.append(place) }
        }
        // An SDK that sends what nobody takes logs an error at each interval.
        let unused = KnownClient.exporters(for: first).filter { $0.value == "none" }
        let variables = (KnownClient.address(first) + unused).map { "\($0.name)=\($0.value)" }.joined(separator: " ")
        let option = path.map { " --config \($0)" } ?? ""
        return """
            send to:    \(places.joined(separator: ", "))
            copy this:  export \(variables)
            or run:     millrace exec\(option) -- COMMAND
            try it:     millrace send-demo\(option)
            """
    }
}

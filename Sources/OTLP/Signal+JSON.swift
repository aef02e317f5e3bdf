import Basics

extension Signal {
    /// The signal of a request in JSON, by its first member that is one of OTLP's; nil where there is none.
    ///
    /// What follows that member is not looked at, and may be no JSON.
    package init?(ofRequest json: RawSpan) {
        var scanner = JSONScanner()
        while let token = try? scanner.next(in: json), token != .end {
            guard case .key(let name) = token, scanner.depth == 1 else { continue }
            let text = name.value(in: json)
            if let signal = Signal.allCases.first(where: { text == $0.requestMember || text == $0.snakeCaseMember }) {
                self = signal
                return
            }
        }
        return nil
    }
}

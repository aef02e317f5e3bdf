import Basics
import Receivers
import Settings

// Servers have an address each, two receivers aside that speak differently: they share a listener.

extension PipelineFile {
    /// The receivers, those of one listener together.
    var listeners: [[Configured<any ReceiverSettings>]] {
        var listeners: [[Configured<any ReceiverSettings>]] = []
        for receiver in receivers {
            let shared = receiver.settings.address.flatMap { address in
                listeners.firstIndex { $0[0].settings.address.map(address.isPlace) ?? false }
            }
            if let shared { listeners[shared].append(receiver) } else { listeners.append([receiver]) }
        }
        return listeners
    }

    /// Reports addresses that cannot be listened at together.
    func checkAddresses(_ root: JSONNode, _ context: inout DecodeContext) {
        for (index, receiver) in receivers.enumerated() {
            if receiver.name == GivenSockets.adminName {
                // Sockets that systemd hands over and the metrics of listeners tell them apart by this name.
                context.within("receivers", receiver.name) { context in
                    let offset = (root["receivers"]?[receiver.name] ?? root).offset
                    context.report("the name is the admin endpoint's; allowed: any other name", at: offset)
                }
            }
            guard let problem = problem(of: receiver, behind: receivers[..<index]) else { continue }
            let node = root["receivers"]?[receiver.name]
            context.within("receivers", receiver.name, "listen") { context in
                context.report(problem, at: (node?["listen"] ?? node ?? root).offset)
            }
        }
    }

    /// What keeps a receiver from listening where it is to; nil where nothing does.
    private func problem(
        of receiver: Configured<any ReceiverSettings>,
        behind earlier: ArraySlice<Configured<any ReceiverSettings>>
    ) -> String? {
        guard let address = receiver.settings.address else { return nil }
        let place = quoted(address.description)
        if admin.listen.overlaps(address) {
            return "\(place) is taken by /admin; each server needs an address of its own"
        }
        var problem: String?
        for other in earlier where other.settings.address?.overlaps(address) == true {
            let isSame = other.settings.address?.isPlace(of: address) == true
            guard isSame, let differences = receiver.settings.differences(from: other.settings) else {
                return "\(place) is taken by /receivers/\(other.name); each server needs an address of its own"
                    + (isSame ? ", apart from one receiver of each type" : "")
            }
            guard !differences.isEmpty else { continue }
            let names = differences.joined(separator: ", ")
            problem =
                "\(place) is also that of /receivers/\(other.name), with another value of \(names); "
                + "allowed: the same, or an address of its own"
        }
        return problem
    }
}

extension ListenAddress {
    /// Whether two servers cannot have these addresses at the same time.
    func overlaps(_ other: ListenAddress) -> Bool {
        switch (self, other) {
        case (.unix(let path), .unix(let otherPath)):
            return path == otherPath
        case (.tcp(let host, let port), .tcp(let otherHost, let otherPort)):
            let isShared = host == otherHost || [host, otherHost].contains { ["0.0.0.0", "::"].contains($0) }
            return port == otherPort && port != 0 && isShared
        case (.unix, .tcp), (.tcp, .unix):
            return false
        }
    }
}

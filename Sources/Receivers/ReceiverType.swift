package import Basics
package import Logging
package import Pipeline
package import Settings
package import TLS

/// A `type` of receiver: one line of the catalogue.
package typealias ReceiverType = Component<any ReceiverSettings>

/// A receiver's settings, and what the program has to know of them before the receiver is made.
package protocol ReceiverSettings: Sendable {
    /// Where it listens (`listen`); nil for one that does not.
    var address: ListenAddress? { get }
    /// The protocol that it speaks; nil for another one than OTLP's.
    var speech: OTLPSpeech? { get }
    /// Its `tls`; nil for plaintext.
    var tls: ServerTLSSettings? { get }
    /// Connections that it takes at once (`max_connections`).
    var maxConnections: Int { get }
    /// The largest body that it takes (`max_body`); nil for one that takes none.
    var bodyMax: ByteCount? { get }
    /// How long a request may wait for room before it is refused.
    var hold: Duration { get }
    /// The exporter that answers wait for (`answer_after`); nil where the journal is enough.
    var answerAfter: String? { get }
    /// Whether they wait for every exporter of its pipelines (`ack`).
    var awaitsAll: Bool { get }
    /// How long they wait for it (`answer_timeout`).
    var answerTimeout: Duration { get }
    /// Names of headers that are kept with each request, besides those that processors read.
    var forwardHeaders: [String] { get }

    /// Who may send (`auth`); nil for everybody.
    var auth: AuthSettings? { get }

    /// Names of the settings that keep it from sharing the listener of another receiver with the same address; nil where the two
    /// can never share one.
    func differences(from other: any ReceiverSettings) -> [String]?

    /// Whether a receiver of that type goes on with them where another one of them was (`Receiver.goOn`), once a reload sets them.
    func keepsPlace(of earlier: any ReceiverSettings) -> Bool

    /// Makes the receiver.
    func makeReceiver(in context: ReceiverContext) -> any Receiver
}

extension ReceiverSettings {
    package var awaitsAll: Bool { false }
    package func keepsPlace(of earlier: any ReceiverSettings) -> Bool { address != nil && address == earlier.address }
}

extension ReceiverType {
    /// A type with its settings.
    package init(_ type: String, _ shape: Shape<some ReceiverSettings>) {
        self.init(type, shape) { $0 }
    }
}

/// What a receiver is made with besides its settings.
package struct ReceiverContext: Sendable {
    /// The receiver's key in the pipeline file.
    let name: String
    /// The service manager's sockets for it, or for who shares its listener, which take the place of its own address.
    package var sockets: [GivenSocket] = []
    /// Connections that open files allow, where that is less than it asks for.
    package var connectionsMax: Int?
    /// Headers that processors read, in lower case, kept with each request.
    package var processorHeaders: [String] = []
    /// The first pipeline that reads the receiver; empty for none.
    package var pipeline = ""
    /// Where it may keep files that outlive the process; nil where nothing does.
    package var stateDirectory: String?
    /// What is said of the process where others of its cluster ask.
    package var report = ProcessReport()
    let intake: any Intake
    let memory: MemoryBudget
    let eventLoops: EventLoops
    let meters: Meters
    let logger: Logger

    /// - Parameters:
    ///   - name: The receiver's key in the pipeline file.
    ///   - intake: Takes the requests.
    ///   - memory: Bounds the bodies that are held.
    ///   - eventLoops: The threads to receive on; they outlive the receiver.
    ///   - meters: Counts answers and connections.
    ///   - logger: Told where it listens.
    package init(
        name: String,
        intake: any Intake,
        memory: MemoryBudget,
        eventLoops: EventLoops,
        meters: Meters,
        logger: Logger
    ) {
        self.name = name
        self.intake = intake
        self.memory = memory
        self.eventLoops = eventLoops
        self.meters = meters
        self.logger = logger
    }
}

/// How many files connections take.
package enum ConnectionLimit {
    /// Connections over the limit that are told so at once; more are closed without a word.
    private static let refusalsMax = 256

    /// Files that are open with `connections` clients, those that are refused included.
    package static func descriptors(forConnections connections: Int) -> Int {
        connections + min(refusalsMax, connections)
    }

    /// How many connections `descriptors` files allow; at least one.
    package static func connections(withinDescriptors descriptors: Int) -> Int {
        max(1, descriptors - min(refusalsMax, descriptors / 2))
    }
}

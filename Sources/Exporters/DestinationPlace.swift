package import OTLP
package import Pipeline

/// Where an exporter sends, as far as a receiver of OTLP may be there.
package struct DestinationPlace: Sendable {
    /// The setting that says so.
    package let setting: String
    package let endpoint: HTTPEndpoint
    /// What is sent there.
    package let signals: Set<Signal>
    /// How.
    package let speech: OTLPSpeech
}

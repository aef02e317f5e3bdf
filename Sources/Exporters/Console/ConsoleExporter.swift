import Basics
import Glibc
package import Pipeline
package import Settings
import Synchronization

/// The settings of a `console` exporter.
package struct ConsoleSettings: Sendable, Hashable {
    /// How spans are shown.
    package enum Style: String, Sendable, Hashable, CaseIterable {
        /// A trace as a tree; the default.
        case tree
        /// One line for each span.
        case line
    }

    package var style: Style

    package init(style: Style = .tree) {
        self.style = style
    }
}

extension ConsoleSettings: DestinationSettings {
    /// The settings in the pipeline file.
    package static let shape = Shape(
        "Prints spans, log records and metrics on standard output; never holds anything back.",
        ConsoleSettings(),
        [
            Field(
                "style",
                \.style,
                .choice(["tree": .tree, "line": .line]),
                "A trace as a tree with durations, tokens and status, or one line a span."
            )
        ]
    )

    package var mayRefuse: Bool { false }

    package func makeExporter(in context: ExporterContext) -> any Exporter { ConsoleExporter(self) }
}

/// Shows traces on the terminal.
///
/// A convenience that never holds anything up: every batch counts as delivered at once, and what cannot be shown,
/// because the output is closed or nobody reads it, is dropped.
package final class ConsoleExporter: Exporter {
    /// Batches waiting to be shown, at most; further ones are dropped.
    package static let batchesMax = 64
    /// Their bytes, at most, besides the first.
    private static let bytesMax = ByteCount.mebibytes(8)
    /// How long the output may take none of the text before the rest of it is dropped.
    package static let patience = Duration.seconds(1)

    private let settings: ConsoleSettings
    private let output: ConsoleOutput
    private let thread = SerialThread(name: "millrace-console")
    private let waiting = Mutex((batches: 0, bytes: 0))

    /// - Parameters:
    ///   - settings: How to show spans.
    ///   - descriptor: Where to write; colours are used only on a terminal.
    ///   - patience: How long the output may take nothing before text is dropped.
    package init(
        _ settings: ConsoleSettings = ConsoleSettings(),
        descriptor: Int32 = STDOUT_FILENO,
        patience: Duration = ConsoleExporter.patience
    ) {
        self.settings = settings
        output = ConsoleOutput(descriptor: descriptor, patience: patience)
    }

    deinit {
        thread.stop()
    }

    package func export(_ batch: Batch) async -> DeliveryOutcome {
        let bytes = batch.payload.count
        let hasRoom = waiting.withLock { waiting in
            let fits = waiting.batches == 0 || waiting.bytes + bytes <= Self.bytesMax.bytes
            guard waiting.batches < Self.batchesMax, fits else { return false }
            waiting.batches += 1
            waiting.bytes += bytes
            return true
        }
        guard hasRoom else { return .delivered }
        thread.submit { [settings, output, weak self] in
            let text = BatchText(style: settings.style, hasColours: output.isTerminal)
            output.write(text.render(batch))
            self?.waiting.withLock { waiting in
                waiting.batches -= 1
                waiting.bytes -= bytes
            }
        }
        return .delivered
    }

    /// Waits until everything was shown or dropped.
    package func close() async {
        await thread.run {}
    }
}

/// A descriptor that may be a slow terminal or a pipe without a reader.
///
/// Once it took nothing for as long as `patience`, nothing waits for it any more until it takes something again.
final class ConsoleOutput: Sendable {
    /// A pipe that `poll` calls writable takes at least this much without blocking (PIPE_BUF).
    private static let chunkBytes = 4096

    private let descriptor: Int32
    private let patience: Duration
    /// Only used by the thread that writes.
    private let isStalled = Atomic(false)

    init(descriptor: Int32, patience: Duration) {
        self.descriptor = descriptor
        self.patience = patience
    }

    var isTerminal: Bool { isatty(descriptor) == 1 }

    /// Writes the text; drops the rest of it where the output takes none.
    func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty, isWritable {
            let count = rest.prefix(Self.chunkBytes).withUnsafeBytes { bytes in
                unsafe Glibc.write(descriptor, bytes.baseAddress, bytes.count)
            }
            guard count > 0 || errno == EINTR || errno == EAGAIN else { return }
            rest = rest.dropFirst(max(0, count))
        }
    }

    private var isWritable: Bool {
        var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        let patience = isStalled.load(ordering: .relaxed) ? .zero : patience
        let milliseconds = Int32(clamping: patience.wholeNanoseconds / 1_000_000)
        let count = unsafe poll(&state, 1, milliseconds)
        isStalled.store(count == 0, ordering: .relaxed)
        return count == 1 && state.revents & Int16(POLLOUT) != 0
    }
}

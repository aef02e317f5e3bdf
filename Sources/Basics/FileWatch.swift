import Synchronization

/// Tells when a file has another content, on a thread of its own, which looks once a second.
///
/// Links are followed, so that one of a folder that is turned elsewhere, as Kubernetes does with a ConfigMap, counts as a change.
/// What is seen to change is told once two looks in a row found it the same, so that nobody is in the middle of writing it.
package final class FileWatch: Sendable {
    private static let interval = Duration.seconds(1)

    private let path: String
    private let ending = ThreadSignal()

    package init(_ path: String) {
        self.path = path
    }

    /// Begins to look; `changed` is called on the thread.
    package func start(_ changed: @escaping @Sendable () -> Void) {
        let first = mark
        spawnThread(named: "millrace-watch") { [self] in
            var (known, latest) = (first, first)
            while !ending.wait(for: Self.interval) {
                let now = mark
                if now == latest, now != known, now != nil {
                    known = now
                    changed()
                }
                latest = now
            }
        }
    }

    /// Ends the thread, soon.
    package func stop() { ending.signal() }

    /// What tells contents apart without reading them; nil while the file is not there.
    private var mark: FileStatus? { FileStatus(path) }
}

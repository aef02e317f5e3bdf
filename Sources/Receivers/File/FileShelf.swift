import Basics
import Synchronization

/// The files of one receiver: which of them have something new, the one that is read now, and how far each is read.
///
/// Blocks for the disk; one call at a time, on a thread that may block.
final class FileShelf: Sendable {
    /// What one look at the folder shows.
    struct Look: Sendable {
        /// The one that was changed first in front.
        let files: [SourceFile]
        /// Those of them with something that was not read.
        let news: [SourceFile]
        /// What is gone from where it was and was not read to its end.
        let lost: [SourceFile]
    }

    /// Where reading of a file begins.
    struct Opening: Sendable {
        /// Bytes of the file that are read.
        let offset: Int
        /// Of the content: where reading begins.
        let position: Int
        /// Whether it has the content of another file as far as that was read.
        let isCopy: Bool
    }

    /// What stands next in the file that is open.
    struct Step: Sendable {
        /// Empty at the end of the file.
        let findings: [RecordSplitter.Finding]
        /// Bytes of the file that are read.
        let offset: Int
        /// Of the content: where it goes on behind the findings.
        let position: Int
    }

    private struct State {
        var positions: ReadPositions
        var reader: RecordReader?
        var seen: [FileStatus.Identity: SourceFile] = [:]
        /// Where files are known to be broken.
        var broken: [FileStatus.Identity: Int] = [:]
    }

    private let state: Mutex<State>

    /// - Parameter path: The file that positions are kept in; nil to forget them with the process.
    /// - Throws: Where there is such a file and it cannot be read.
    init(notedAt path: String?) throws(FileReadError) {
        state = Mutex(State(positions: try ReadPositions(at: path)))
    }

    /// Looks for files.
    func look(at pattern: FilePattern) -> Look {
        let files = pattern.files()
        return state.withLock { state in
            state.positions.keep(files)
            let seen = Dictionary(files.map { ($0.identity, $0) }) { $1 }
            let lost = state.seen.values.filter { seen[$0.identity] == nil && !state.positions.isRead($0) }
            state.seen = seen
            return Look(
                files: files,
                news: files.filter(state.positions.hasNews),
                lost: lost.sorted { $0.path < $1.path }
            )
        }
    }

    /// Opens a file where it was read to, in place of the one before.
    ///
    /// - Parameters:
    ///   - file: Found by a look.
    ///   - isWhole: Whether the end of the file is the end of what it holds; else it may be one that was rotated by copying.
    ///   - recordMax: The longest record.
    /// - Returns: Where reading begins.
    /// - Throws: The system's reason where the file cannot be read.
    func open(_ file: SourceFile, isWhole: Bool, recordMax: ByteCount) throws(FileReadError) -> Opening {
        try state.withLock { (state) throws(FileReadError) in
            state.reader = nil
            let opened = try OpenedFile(file.path)
            let (position, isCopy) = state.positions.start(of: opened, passingCopies: !isWhole)
            let reader = try RecordReader(opened, from: position, isWhole: isWhole, recordMax: recordMax)
            state.reader = reader
            return Opening(offset: reader.offset, position: position, isCopy: isCopy)
        }
    }

    /// Reads so many records at most; where a file is known to be broken that is not found again.
    func next(atMost recordsMax: Int) throws(FileReadError) -> Step {
        try state.withLock { (state) throws(FileReadError) in
            guard var findings = try state.reader?.next(atMost: recordsMax), let reader = state.reader else {
                return Step(findings: [], offset: 0, position: 0)
            }
            if case .broken(let start, _)? = findings.last {
                let known = state.broken.updateValue(start, forKey: reader.file.identity)
                if known == start { findings.removeLast() }
            }
            return Step(findings: findings, offset: reader.offset, position: reader.position)
        }
    }

    /// Notes how far the open file is read, where `isAll` to the end that it had.
    func note(_ position: Int, isAll: Bool) {
        state.withLock { state in
            guard let file = state.reader?.file else { return }
            state.positions.note(position, of: file, isAll: isAll)
        }
    }

    /// Closes the file that is read.
    func close() { state.withLock { $0.reader = nil } }

    /// Writes the positions down where they have changed, durably.
    func save() throws(FileReadError) {
        try state.withLock { (state) throws(FileReadError) in try state.positions.save() }
    }
}

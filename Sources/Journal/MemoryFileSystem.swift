import Synchronization

/// Files in memory, so that `JournalStorage.memory` is the same journal without a disk.
///
/// Nothing is copied: a file keeps the arrays it was given, and a read of exactly what was written returns the same array.
final class MemoryFileSystem: FileSystem {
    private let files = Mutex<[String: MemoryFile]>([:])

    func createDirectory(_ path: String) -> Bool { false }

    func entries(of directory: String) -> [String] {
        files.withLock { files in
            files.keys.filter { $0.hasPrefix(directory + "/") }.map { String($0.dropFirst(directory.count + 1)) }
                .filter { !$0.contains("/") }
        }
    }

    func open(_ path: String, _ mode: OpenMode) throws(FileSystemError) -> any File {
        try files.withLock { files throws(FileSystemError) in
            switch (mode, files[path]) {
            case (.existing, let file?), (.readOnly, let file?): return file
            case (.existing, nil), (.readOnly, nil):
                throw FileSystemError(operation: "open", path: path, code: FileSystemError.notFound)
            case (.create, _):
                let file = MemoryFile()
                files[path] = file
                return file
            }
        }
    }

    func remove(_ path: String) {
        files.withLock { $0[path] = nil }
    }

    func syncDirectory(_ path: String) {}
    func freeBytes(at path: String) -> Int { .max }
    func lock(_ path: String) -> (any AnyObject & Sendable)? { self }
}

/// A file as a list of pieces, ascending and without overlap.
private final class MemoryFile: File {
    private struct Piece {
        var offset: Int
        var bytes: [UInt8]
        var end: Int { offset + bytes.count }
    }

    private struct Contents {
        var pieces: [Piece] = []
        var count = 0

        /// The position of the first piece that ends behind `offset`.
        func firstPiece(endingAfter offset: Int) -> Int {
            var below = 0
            var above = pieces.count
            while below < above {
                let middle = (below + above) / 2
                if pieces[middle].end > offset { above = middle } else { below = middle + 1 }
            }
            return below
        }

        /// Cuts everything in `range` out.
        mutating func clear(_ range: Range<Int>) {
            let first = firstPiece(endingAfter: range.lowerBound)
            var last = first
            var kept: [Piece] = []
            while last < pieces.count, pieces[last].offset < range.upperBound {
                let piece = pieces[last]
                if piece.offset < range.lowerBound {
                    kept.append(
                        Piece(offset: piece.offset, bytes: Array(piece.bytes.prefix(range.lowerBound - piece.offset)))
                    )
                }
                if piece.end > range.upperBound {
                    let rest = Array(piece.bytes.suffix(piece.end - range.upperBound))
                    kept.append(Piece(offset: range.upperBound, bytes: rest))
                }
                last += 1
            }
            pieces.replaceSubrange(first..<last, with: kept)
        }
    }

    private let contents = Mutex(Contents())

    func size() -> Int { contents.withLock { $0.count } }

    func preallocate(_ count: Int) {
        contents.withLock { $0.count = max($0.count, count) }
    }

    func truncate(to count: Int) {
        contents.withLock { contents in
            if contents.count > count { contents.clear(count..<contents.count) }
            contents.count = count
        }
    }

    func write(_ pieces: [[UInt8]], skipping skipped: Int, at offset: Int) -> Int {
        contents.withLock { contents in
            var position = offset - skipped
            for bytes in pieces where !bytes.isEmpty {
                contents.clear(position..<position + bytes.count)
                let index = contents.firstPiece(endingAfter: position)
                contents.pieces.insert(Piece(offset: position, bytes: bytes), at: index)
                position += bytes.count
            }
            contents.count = max(contents.count, position)
            return position - offset
        }
    }

    func read(_ count: Int, at offset: Int) -> [UInt8] {
        contents.withLock { contents in
            let end = max(offset, min(offset + count, contents.count))
            var index = contents.firstPiece(endingAfter: offset)
            if index < contents.pieces.count, contents.pieces[index].offset == offset,
                contents.pieces[index].bytes.count == end - offset
            {
                return contents.pieces[index].bytes
            }
            var bytes = [UInt8](repeating: 0, count: end - offset)
            while index < contents.pieces.count, contents.pieces[index].offset < end {
                let piece = contents.pieces[index]
                let common = max(piece.offset, offset)..<min(piece.end, end)
                bytes.replaceSubrange(
                    common.lowerBound - offset..<common.upperBound - offset,
                    with: piece.bytes[common.lowerBound - piece.offset..<common.upperBound - piece.offset]
                )
                index += 1
            }
            return bytes
        }
    }

    func sync() {}
}

import Basics
import Logging

/// Reads the segments of a log while it is opened.
struct SegmentRecovery {
    private let fileSystem: any FileSystem
    private let recovery: Recovery
    private let logger: Logger

    init(_ recovery: Recovery) {
        self.recovery = recovery
        self.fileSystem = recovery.fileSystem
        self.logger = recovery.logger
    }

    /// The segments that can be read, ascending; the newest is repaired.
    func segments(_ numbers: [UInt64], in directory: String) throws(JournalError) -> [SegmentState] {
        var segments: [SegmentState] = []
        for number in numbers {
            let path = directory + "/" + FileName.segment(number)
            guard let segment = try segment(number, path, isNewest: number == numbers.last) else { continue }
            if let last = segments.indices.last {
                segments[last].endID = max(segments[last].firstID, segment.firstID)
                segments[last].lastReceivedAt = segment.header.firstReceivedAt
            }
            segments.append(segment)
        }
        if let last = segments.indices.last { try repair(&segments[last]) }
        return segments
    }

    /// A segment by its header; nil when it has none that is valid.
    private func segment(_ number: UInt64, _ path: String, isNewest: Bool) throws(JournalError) -> SegmentState? {
        let (area, bytes) = try recovery.checked { () throws(FileSystemError) in
            let file = try fileSystem.open(path, .existing)
            return (file.readTolerantly(SegmentHeader.areaBytes, at: 0), try file.size())
        }
        switch SegmentHeader.reading(area) {
        case .valid(let header) where header.number == number:
            return SegmentState(
                path: path,
                header: header,
                bytes: bytes,
                endOffset: bytes,
                endID: header.firstID,
                sealed: true,
                lastReceivedAt: header.firstReceivedAt
            )
        case .foreign(let version):
            throw JournalError(
                code: .foreignFormat,
                message: "\(path) has format version \(version); this Millrace reads version \(SegmentHeader.version)"
            )
        case .blank where isNewest:
            try recovery.checked { () throws(FileSystemError) in try fileSystem.remove(path) }
        case .valid, .blank, .damaged:
            logger.error("A segment's header is damaged; the segment is not read.", metadata: ["segment": "\(path)"])
        }
        return nil
    }

    /// Finds the end of the newest segment and cuts off what a crash left behind it.
    private func repair(_ segment: inout SegmentState) throws(JournalError) {
        let path = segment.path
        let file = try recovery.checked { () throws(FileSystemError) in try fileSystem.open(path, .existing) }
        let tornBytes = scan(&segment, file)
        if tornBytes > 0 {
            logger.warning(
                "A torn tail was cut off.",
                metadata: ["segment": "\(path)", "offset": "\(segment.endOffset)", "bytes": "\(tornBytes)"]
            )
        }
        do throws(FileSystemError) {
            try file.truncate(to: segment.endOffset)
            segment.bytes = segment.endOffset
            // Readers see only what is synced, and a process that was killed left that to the system.
            if recovery.settings.sync != .never { try file.sync() }
        } catch {
            logger.warning("A segment cannot be repaired.", metadata: ["cause": "\(error)"])
        }
    }

    /// Sets the segment's end behind its last complete group.
    ///
    /// - Returns: How many bytes were written behind it.
    private func scan(_ segment: inout SegmentState, _ file: any File) -> Int {
        var scan = SegmentScan(file, segment.header, from: SegmentHeader.areaBytes, to: segment.bytes)
        var endOffset = SegmentHeader.areaBytes
        /// Damage counts only once something valid lies behind it.
        var damage: [Range<Int>] = []
        while true {
            let offset = scan.offset
            switch scan.next(interest: { _ in .read }) {
            case .record(let header, _):
                segment.marks.note(TimeMark(id: header.id, time: header.receivedAt))
                segment.lastReceivedAt = max(segment.lastReceivedAt, header.receivedAt)
                guard header.isLastOfGroup else { continue }
                segment.endID = max(segment.endID, header.endID)
                endOffset = scan.offset
            case .damage(let range):
                damage.append(range)
            case .end(let tornBytes):
                report(damage.filter { $0.upperBound <= endOffset }, segment.path)
                segment.endOffset = endOffset
                return offset - endOffset + tornBytes
            case .passed, .stopped:
                return 0
            }
        }
    }

    /// The ids of all dead letters, by their headers; what a reader finds damaged later is lost to it then.
    func held(in segments: [SegmentState]) throws(JournalError) -> HeldIDs {
        var held = HeldIDs()
        for segment in segments {
            let file = try recovery.checked { () throws(FileSystemError) in
                try fileSystem.open(segment.path, .existing)
            }
            var scan = SegmentScan(file, segment.header, from: SegmentHeader.areaBytes, to: segment.endOffset)
            scanning: while true {
                switch scan.next(interest: { _ in .pass }) {
                case .passed(let header):
                    let isVoid = header.endID > segment.endID
                    if header.kind == .deadLetter && !isVoid { held.append(header.id..<header.endID) }
                case .damage: continue
                case .end, .record, .stopped: break scanning
                }
            }
        }
        return held
    }

    private func report(_ damage: [Range<Int>], _ path: String) {
        for range in damage {
            logger.error(
                "Damaged bytes were skipped.",
                metadata: ["segment": "\(path)", "from": "\(range.lowerBound)", "to": "\(range.upperBound)"]
            )
        }
    }
}

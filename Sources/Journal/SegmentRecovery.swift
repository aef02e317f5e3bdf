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
        var marks: [RecordMark] = []
        let survey = SegmentSurvey(file, segment.header, bytes: segment.bytes, closedAt: nil, readsBodies: true) {
            header,
            offset in marks.append(RecordMark(id: header.id, time: header.receivedAt, offset: offset))
        }
        for mark in marks { segment.marks.note(mark) }
        segment.lastReceivedAt = max(segment.lastReceivedAt, survey.lastReceivedAt ?? 0)
        segment.endID = max(segment.endID, survey.endID)
        segment.endOffset = survey.endOffset
        report(survey.damage, segment.path)
        return survey.tornBytes
    }

    /// The ids of all dead letters, by their headers; what a reader finds damaged later is lost to it then.
    func held(in segments: [SegmentState]) throws(JournalError) -> IDSet {
        var held = IDSet()
        for segment in segments {
            let file = try recovery.checked { () throws(FileSystemError) in
                try fileSystem.open(segment.path, .existing)
            }
            let bytes = segment.endOffset
            _ = SegmentSurvey(file, segment.header, bytes: bytes, closedAt: segment.endID, readsBodies: false) {
                header,
                _ in
                if header.kind == .deadLetter { held.insert(header.id..<header.endID) }
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

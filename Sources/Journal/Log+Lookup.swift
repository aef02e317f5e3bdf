import Basics
import Synchronization

extension Log {
    /// Reads records again that were read before: those that a delivery has put aside, or that an index knows.
    ///
    /// Suspends while the disk works. Whatever readers have done with a record, it is found until its segment is deleted.
    ///
    /// - Parameters:
    ///   - ids: Of their first items, in any order.
    ///   - bytesMax: Of metadata and payload together; one record may be larger.
    /// - Returns: By ascending id as many from the first on as fit, at least one. Those that are deleted or damaged, or that
    ///   cannot be read now, are left out.
    package func records(_ ids: some Sequence<UInt64>, bytesMax: Int) async -> [StoredRecord] {
        let ids = ids.sorted()
        return await core.readThread.run { [core] in
            var lookup = RecordLookup(bytesLeft: bytesMax)
            for places in core.state.withLock({ $0.places(of: ids) }) where !lookup.isFull {
                lookup.read(places, in: core.fileSystem)
            }
            return lookup.records
        }
    }
}

extension Log {
    /// The records from an id on that a reader has not finished, some of one segment at a time.
    ///
    /// Suspends while the disk works; what else needs the disk has its turn between two calls.
    ///
    /// - Parameters:
    ///   - id: Where to begin.
    ///   - reader: One of this log's.
    ///   - recordsMax: How many.
    ///   - bytesMax: Of metadata and payload together; one record may be larger.
    /// - Returns: Records by ascending id, maybe none, and where to go on; nil behind the last.
    package func records(
        from id: UInt64,
        notFinishedBy reader: LogReader,
        recordsMax: Int,
        bytesMax: Int
    ) async -> (records: [StoredRecord], next: UInt64?) {
        await core.readThread.run { [core] in
            let plan = core.state.withLock { $0.plan(from: id, notFinishedBy: reader.name, recordsMax: recordsMax) }
            guard let plan else { return ([], nil) }
            let finding = SegmentVisit(plan, bytesMax: bytesMax, in: core.fileSystem).find()
            let next = finding.openFailure == nil ? finding.position.expectedID : plan.segment.endID
            return (finding.records, max(next, id))
        }
    }
}

/// Records of one segment that are to be read.
private struct SegmentPlaces: Sendable {
    let segment: SegmentState
    /// Ascending.
    let ids: [UInt64]
}

extension LogState {
    /// How to read on from an id, in the first segment that has something behind it; nil where none has.
    fileprivate func plan(from id: UInt64, notFinishedBy reader: String, recordsMax: Int) -> ReadPlan? {
        guard let segment = segments.first(where: { $0.endID > id && $0.endOffset > SegmentHeader.areaBytes }) else {
            return nil
        }
        var passed = readers.first { $0.name == reader }?.cursor.finished ?? IDSet()
        passed.insert(0..<id)
        var position = start(of: segment)
        if let mark = segment.marks.last(upTo: max(id, passed.low)), mark.offset > position.offset {
            (position.offset, position.expectedID) = (mark.offset, mark.id)
        }
        return ReadPlan(segment: segment, position: position, resume: passed, recordsMax: recordsMax)
    }

    /// Where records are, by ascending ids.
    fileprivate func places(of ids: [UInt64]) -> [SegmentPlaces] {
        var places: [SegmentPlaces] = []
        var rest = ids[...]
        for segment in segments {
            let before = rest.prefix { $0 < segment.firstID }
            let inside = rest.dropFirst(before.count).prefix { $0 < segment.endID }
            rest = rest.dropFirst(before.count + inside.count)
            if !inside.isEmpty { places.append(SegmentPlaces(segment: segment, ids: Array(inside))) }
        }
        return places
    }
}

/// Reads single records; on the reading thread.
private struct RecordLookup {
    private(set) var records: [StoredRecord] = []
    private var bytesLeft: Int
    private(set) var isFull = false

    init(bytesLeft: Int) {
        self.bytesLeft = bytesLeft
    }

    /// Reads records of one segment for as long as they fit.
    mutating func read(_ places: SegmentPlaces, in fileSystem: any FileSystem) {
        let segment = places.segment
        guard let file = try? fileSystem.open(segment.path, .existing) else { return }
        var scan = SegmentScan(file, segment.header, from: SegmentHeader.areaBytes, to: segment.endOffset)
        for id in places.ids {
            if let mark = segment.marks.last(upTo: id), mark.offset > scan.offset {
                scan = SegmentScan(file, segment.header, from: mark.offset, to: segment.endOffset)
            }
            find(id, &scan)
            if isFull { return }
        }
    }

    /// Goes on to the record of that id, or to the first behind it.
    private mutating func find(_ id: UInt64, _ scan: inout SegmentScan) {
        while true {
            let step = scan.next { header in
                if header.id != id { return header.id < id ? .pass : .stop }
                let fits = header.metadataBytes + header.payloadBytes <= bytesLeft || records.isEmpty
                if !fits { isFull = true }
                return fits ? .read : .stop
            }
            switch step {
            case .passed, .damage: continue
            case .stopped, .end: return
            case .record(_, let record):
                bytesLeft -= record.metadata.count + record.payload.count
                return records.append(record)
            }
        }
    }
}

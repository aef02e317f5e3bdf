/// Reads what one plan asks for; on the reading thread.
struct SegmentVisit {
    private let plan: ReadPlan
    private let bytesMax: Int
    /// Whether dead letters are only looked at, so that damage to one is found.
    private let passesHeld: Bool
    private let fileSystem: any FileSystem

    init(_ plan: ReadPlan, bytesMax: Int, passesHeld: Bool = false, in fileSystem: any FileSystem) {
        self.plan = plan
        self.bytesMax = bytesMax
        self.passesHeld = passesHeld
        self.fileSystem = fileSystem
    }

    /// The records that fit, and what is wrong between them.
    func find() -> ReadFinding {
        var finding = ReadFinding(position: plan.position)
        do throws(FileSystemError) {
            let file: any File
            if let known = plan.position.file {
                file = known
            } else {
                file = try fileSystem.open(plan.segment.path, .existing)
            }
            finding.position.file = file
            read(file, &finding)
        } catch {
            if error.isNotFound { reachEnd(&finding) } else { finding.openFailure = error }
        }
        return finding
    }

    private func read(_ file: any File, _ finding: inout ReadFinding) {
        let end = plan.segment.endOffset
        var scan = SegmentScan(file, plan.segment.header, from: plan.position.offset, to: end)
        var bytes = 0
        reading: while finding.records.count < plan.recordsMax && scan.offset < end {
            let step = scan.next { header in
                guard isWanted(header, expectedID: finding.position.expectedID) else { return .pass }
                if isPassed(header) { return .read }
                let fits = bytes + header.metadataBytes + header.payloadBytes <= bytesMax
                return fits || finding.records.isEmpty ? .read : .stop
            }
            switch step {
            case .record(let header, let record):
                advance(past: header, at: scan.offset - header.recordBytes, &finding)
                if isPassed(header) { break }
                bytes += header.metadataBytes + header.payloadBytes
                finding.records.append(record)
            case .passed(let header): advance(past: header, at: scan.offset - header.recordBytes, &finding)
            case .damage(let range): finding.damage.append(range)
            case .stopped: break reading
            case .end(let tornBytes):
                if tornBytes > 0 { finding.damage.append(finding.position.offset..<end) }
            }
            finding.position.offset = scan.offset
        }
        if scan.offset >= end { reachEnd(&finding) }
    }

    /// Not where the record was finished before the journal was opened, is void, or is too old for the plan.
    private func isWanted(_ header: RecordHeader, expectedID: UInt64) -> Bool {
        guard header.id >= expectedID, !isVoid(header), header.receivedAt >= plan.since else { return false }
        let isFinished = header.items > 0 && plan.resume.contains(header.id) || header.id < plan.resume.low
        return !isFinished
    }

    private func isPassed(_ header: RecordHeader) -> Bool { passesHeld && header.kind == .deadLetter }

    private func isVoid(_ header: RecordHeader) -> Bool { header.endID > plan.segment.endID }

    private func advance(past header: RecordHeader, at offset: Int, _ finding: inout ReadFinding) {
        guard header.id >= finding.position.expectedID, !isVoid(header) else { return }
        if header.id > finding.position.expectedID {
            finding.missing.append(finding.position.expectedID..<header.id)
        }
        finding.position.expectedID = header.endID
        finding.marks.append(RecordMark(id: header.id, time: header.receivedAt, offset: offset))
    }

    private func reachEnd(_ finding: inout ReadFinding) {
        if finding.position.expectedID < plan.segment.endID {
            finding.missing.append(finding.position.expectedID..<plan.segment.endID)
            finding.position.expectedID = plan.segment.endID
        }
        finding.position.offset = max(finding.position.offset, plan.segment.endOffset)
    }
}

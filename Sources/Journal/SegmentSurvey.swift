/// What a segment holds, by a pass over all of it.
struct SegmentSurvey: Sendable {
    private(set) var records = 0
    private(set) var items: UInt64 = 0
    private(set) var firstReceivedAt: UInt64?
    private(set) var lastReceivedAt: UInt64?
    /// Behind the last valid record.
    private(set) var endOffset = SegmentHeader.areaBytes
    /// The id after the last valid record.
    private(set) var endID: UInt64
    /// Bytes that hold no valid record although one lay there.
    private(set) var damage: [Range<Int>] = []
    /// How many bytes were written behind the end: a torn tail, or records that are void.
    private(set) var tornBytes = 0

    /// Goes through the first `bytes` bytes of a segment.
    ///
    /// - Parameters:
    ///   - file: The segment.
    ///   - header: Its header.
    ///   - bytes: Its length.
    ///   - closedAt: The first id of the next segment: records that go beyond it are void. Nil for the newest segment,
    ///     which ends behind its last complete group.
    ///   - readsBodies: Whether the checksums of metadata and payloads are looked at too.
    ///   - visit: Gets each record that is not void and the offset where it begins, incomplete groups included.
    init(
        _ file: any File,
        _ header: SegmentHeader,
        bytes: Int,
        closedAt: UInt64?,
        readsBodies: Bool,
        visit: (RecordHeader, Int) -> Void = { _, _ in }
    ) {
        endID = header.firstID
        var scan = SegmentScan(file, header, from: SegmentHeader.areaBytes, to: bytes)
        var survey = self
        var damage: [Range<Int>] = []
        while true {
            let offset = scan.offset
            switch scan.next(interest: { _ in readsBodies ? .read : .pass }) {
            case .record(let header, _), .passed(let header):
                if let closedAt, header.endID > closedAt { continue }
                survey.count(header, endOffset: scan.offset)
                visit(header, offset)
                if closedAt != nil || header.isLastOfGroup { self = survey }
            case .damage(let range):
                damage.append(range)
            case .end(let tornBytes):
                self.tornBytes = offset - endOffset + tornBytes
                if let closedAt, endID < closedAt, self.tornBytes > 0, tornBytes > 0 { damage.append(offset..<bytes) }
                // Behind the last record damage counts only where ids are missing there.
                let isShort = closedAt.map { endID < $0 } ?? false
                self.damage = damage.filter { isShort || $0.upperBound <= endOffset }
                return
            case .stopped:
                return
            }
        }
    }

    private mutating func count(_ header: RecordHeader, endOffset: Int) {
        records += 1
        items += UInt64(header.items)
        firstReceivedAt = min(firstReceivedAt ?? .max, header.receivedAt)
        lastReceivedAt = max(lastReceivedAt ?? 0, header.receivedAt)
        self.endOffset = endOffset
        endID = max(endID, header.endID)
    }
}

import Journal

/// Records that will be needed again, as far as there is room for them.
struct RecordCache: Sendable {
    private struct Key: Hashable {
        let source: WindowSource
        let id: UInt64
    }

    private var records: [Key: StoredRecord] = [:]
    /// Bytes of their payloads and metadata.
    private(set) var bytes = 0
    private let bytesMax: Int

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    /// Keeps a record where there is room.
    mutating func keep(_ record: StoredRecord, _ source: WindowSource) {
        guard bytes + record.cachedBytes <= bytesMax else { return }
        bytes += record.cachedBytes
        records[Key(source: source, id: record.id)] = record
    }

    /// A record that stays; nil for one that was not kept.
    func look(_ id: UInt64, _ source: WindowSource) -> StoredRecord? { records[Key(source: source, id: id)] }

    /// Gives a record out, for good; nil for one that was not kept.
    mutating func take(_ id: UInt64, _ source: WindowSource) -> StoredRecord? {
        guard let record = records.removeValue(forKey: Key(source: source, id: id)) else { return nil }
        bytes -= record.cachedBytes
        return record
    }
}

extension StoredRecord {
    fileprivate var cachedBytes: Int { metadata.count + payload.count + MemoryLayout<StoredRecord>.stride }
}

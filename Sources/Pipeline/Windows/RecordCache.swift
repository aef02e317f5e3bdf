import Journal

/// Records that will be needed again, as far as there is room for them; the eldest make room for others.
///
/// What is complete is needed soon; what is old is of traces that stay open, and is read again when they end.
struct RecordCache: Sendable {
    private struct Key: Hashable {
        let source: WindowSource
        let id: UInt64
    }

    private var records: [Key: StoredRecord] = [:]
    /// In the order in which they came; some were given out meanwhile.
    private var order: [Key] = []
    private var orderStart = 0
    /// Bytes of their payloads and metadata.
    private(set) var bytes = 0
    private let bytesMax: Int

    init(bytesMax: Int) {
        self.bytesMax = bytesMax
    }

    /// Keeps a record; one that is kept stays where it is.
    mutating func keep(_ record: StoredRecord, _ source: WindowSource) {
        let key = Key(source: source, id: record.id)
        guard record.cachedBytes <= bytesMax, records[key] == nil else { return }
        bytes += record.cachedBytes
        records[key] = record
        order.append(key)
        while bytes > bytesMax { removeEldest() }
        if order.count - orderStart > 2 * records.count + 64 {
            order = order[orderStart...].filter { records[$0] != nil }
            orderStart = 0
        }
    }

    /// A record that stays; nil for one that is not kept.
    func look(_ id: UInt64, _ source: WindowSource) -> StoredRecord? { records[Key(source: source, id: id)] }

    /// Gives a record up.
    mutating func forget(_ id: UInt64, _ source: WindowSource) { remove(Key(source: source, id: id)) }

    private mutating func removeEldest() {
        remove(order[orderStart])
        orderStart += 1
        guard orderStart > order.count / 2 else { return }
        order.removeSubrange(..<orderStart)
        orderStart = 0
    }

    private mutating func remove(_ key: Key) {
        guard let record = records.removeValue(forKey: key) else { return }
        bytes -= record.cachedBytes
    }
}

extension StoredRecord {
    fileprivate var cachedBytes: Int { metadata.count + payload.count + MemoryLayout<StoredRecord>.stride }
}

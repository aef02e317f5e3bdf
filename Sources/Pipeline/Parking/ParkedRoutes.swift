import Basics

/// The routes of one exporter that need somebody to act, and where the records lie that wait for them.
///
/// Holds no bytes of records and no clock, and does no I/O. While a route is parked its records are not in the delivery's
/// window: one of them is recalled from the journal from time to time, as a probe; all once the route is open again.
struct ParkedRoutes: Sendable {
    /// Where a record lies.
    struct Place: Sendable, Equatable {
        let source: RecordSource
        /// The id of the record in its log.
        let id: UInt64
        /// Items that the record stands for, and bytes of its payload.
        let items: UInt32
        let bytes: UInt32

        init(_ record: QueuedRecord) {
            source = record.source
            id = record.id
            items = record.items
            bytes = UInt32(clamping: record.payload.count)
        }
    }

    /// Records to be read again, all of one route and of one log.
    struct Recall: Sendable {
        let key: MergeKey
        let places: [Place]
        /// When the route first turned something away.
        let since: UnixTime

        var bytes: Int { places.reduce(0) { $0 + Int($1.bytes) } }
    }

    /// Records of one log that are to leave for the end of the exporter's parked log.
    struct Move: Sendable {
        struct Entry: Sendable {
            let place: Place
            let key: MergeKey
            let since: UnixTime
            /// Whether the route is not kept here any more.
            let isStray: Bool
        }

        let source: RecordSource
        /// By ascending id.
        var entries: [Entry]
    }

    private struct Lane {
        var places: [Place] = []
        let since: UnixTime
        /// When it is probed next; nil once it is open, while records are left.
        var probe: Duration?
    }

    /// Places kept, one for each route aside: as many holes the cursor has to remember.
    static let placesMax = 1000
    /// Routes kept, at most; the records of others go to the parked log whole.
    static let routesMax = 1000

    private var lanes: [MergeKey: Lane] = [:]
    /// Places of each source, and the items that they stand for.
    private var counts: [RecordSource: (places: Int, items: UInt64)] = [:]
    private(set) var count = 0
    /// Bytes of records that are being read again.
    private(set) var recalledBytes = 0
    /// Routes that have records in the parked log; nil where there were too many to remember.
    private var moved: Set<MergeKey>? = []
    /// When the parked log is read for routes that are not kept here; nil without any.
    private var strays: Duration?

    var isEmpty: Bool { lanes.isEmpty }
    /// Whether records have to leave.
    var isCrowded: Bool { count > Self.placesMax || lanes.count > Self.routesMax }

    /// How many records of a source are kept here.
    func places(of source: RecordSource) -> Int { counts[source]?.places ?? 0 }

    /// What the records of a source that are kept here stand for.
    func items(of source: RecordSource) -> UInt64 { counts[source]?.items ?? 0 }

    /// The items of a source that are kept here.
    func ids(of source: RecordSource) -> [Range<UInt64>] {
        lanes.values.flatMap(\.places).filter { $0.source == source }.map { $0.id..<$0.id + UInt64($0.items) }
    }

    /// Whether nothing of a route may be sent but what is recalled.
    func isParked(_ key: MergeKey) -> Bool { !lanes.isEmpty && lanes[key]?.probe != nil }

    /// Keeps a record of a parked route.
    ///
    /// - Returns: Whether it is kept: false where the route is not parked.
    mutating func keep(_ record: QueuedRecord, of key: MergeKey) -> Bool {
        guard isParked(key) else { return false }
        append([Place(record)], to: key)
        return true
    }

    /// Parks a route with what waits for it.
    ///
    /// - Parameters:
    ///   - key: The route, with what else its requests have in common.
    ///   - records: What was under way to it.
    ///   - probe: When it is tried again.
    ///   - since: When it first turned something away.
    mutating func park(_ key: MergeKey, _ records: [QueuedRecord], until probe: Duration, since: UnixTime) {
        lanes[key, default: Lane(since: since)].probe = probe
        append(records.map(Place.init), to: key)
    }

    /// Keeps places again that could not be read or moved.
    ///
    /// - Parameters:
    ///   - places: The places.
    ///   - key: Their route.
    ///   - since: When the route first turned something away.
    ///   - probe: When they are tried, where their route is not parked any more; nil for at once.
    mutating func putBack(_ places: [Place], of key: MergeKey, since: UnixTime, until probe: Duration?) {
        if lanes[key] == nil { lanes[key] = Lane(since: since, probe: probe) }
        append(places, to: key)
    }

    /// A route takes what it is sent: all that waits for it here is recalled.
    ///
    /// - Returns: Whether the parked log has to be read for it, too.
    mutating func open(_ key: MergeKey) -> Bool {
        guard !lanes.isEmpty, let lane = lanes[key], lane.probe != nil else { return false }
        lanes[key]?.probe = nil
        if lane.places.isEmpty { lanes[key] = nil }
        return moved?.contains(key) ?? true
    }

    /// What waits for a route is tried at once, one record after the other, because it is given up.
    mutating func hasten(_ key: MergeKey, now: Duration) {
        if lanes[key]?.probe != nil { lanes[key]?.probe = now }
    }

    /// All routes are probed at once, because the destination is asked otherwise.
    mutating func hastenAll(now: Duration) {
        for key in lanes.keys where lanes[key]?.probe != nil { lanes[key]?.probe = now }
    }

    /// The parked log is read from its beginning: what stays there is noted anew.
    mutating func beginReading() {
        moved = []
        strays = nil
    }

    /// Records that are to be read again now: one of a route whose time has come, or some of a route that is open again.
    mutating func recall(now: Duration, itemsMax: Int, bytesMax: Int, pause: Duration) -> Recall? {
        for (key, lane) in lanes where lane.probe.map({ $0 <= now }) ?? true {
            guard let first = lane.places.first else {
                // All that waits for it has moved: it is tried with what is read from the parked log.
                lanes[key] = nil
                strays = now
                continue
            }
            if lane.probe != nil { lanes[key]?.probe = now + pause }
            var (count, items, bytes) = (0, 0, 0)
            for place in lane.places where place.source == first.source {
                (items, bytes) = (items + Int(place.items), bytes + Int(place.bytes))
                guard count == 0 || lane.probe == nil && items <= itemsMax && bytes <= bytesMax else { break }
                count += 1
            }
            let recall = Recall(
                key: key,
                places: take(count, from: key) { $0.source == first.source },
                since: lane.since
            )
            recalledBytes += recall.bytes
            return recall
        }
        return nil
    }

    /// The records of a recall are in the window.
    mutating func end(_ recall: Recall) {
        recalledBytes -= recall.bytes
    }

    /// When `recall` or `passesStrays` may give something without a further event; nil when nothing waits.
    var wake: Duration? { [lanes.values.lazy.map { $0.probe ?? .zero }.min(), strays].compactMap { $0 }.min() }

    /// Whether the parked log is to be read now for routes that are not kept here.
    mutating func passesStrays(now: Duration) -> Bool {
        guard let due = strays, due <= now else { return false }
        strays = nil
        return true
    }

    /// What has to leave: where there are too many places all but the first of each route, else those that keep a segment of
    /// their log on the disk.
    ///
    /// - Parameters:
    ///   - pinned: The id below which nothing of a source is unfinished but places, to the end of a segment.
    ///   - strays: When routes are tried that are not kept any more, because there are too many.
    /// - Returns: One move for each log.
    mutating func excess(pinned: [RecordSource: UInt64], strays: Duration) -> [Move] {
        guard isCrowded || lanes.values.contains(where: { $0.places.contains { $0.isPinned(pinned) } }) else {
            return []
        }
        let isCrowded = count > Self.placesMax
        var entries: [RecordSource: [Move.Entry]] = [:]
        for (index, key) in Array(lanes.keys).enumerated() {
            guard let lane = lanes[key], lane.probe != nil else { continue }
            let isStray = index >= Self.routesMax
            let probe = isStray || lane.places.first?.isPinned(pinned) == true ? nil : lane.places.first
            let places = take(.max, from: key) { place in
                place != probe && (isCrowded || isStray || place.isPinned(pinned))
            }
            for place in places {
                let entry = Move.Entry(place: place, key: key, since: lane.since, isStray: isStray)
                entries[place.source, default: []].append(entry)
            }
            if !places.isEmpty { noteMoved(key) }
            guard isStray else { continue }
            lanes[key] = nil
            self.strays = self.strays ?? strays
        }
        return entries.map { Move(source: $0, entries: $1.sorted { $0.place.id < $1.place.id }) }
    }

    private mutating func noteMoved(_ key: MergeKey) {
        moved?.insert(key)
        if let moved, moved.count > 2 * Self.routesMax { self.moved = nil }
    }

    private mutating func append(_ places: [Place], to key: MergeKey) {
        lanes[key]?.places.append(contentsOf: places)
        for place in places { note(place, 1) }
    }

    /// Takes as many places as there are that fulfil a condition, in order.
    private mutating func take(_ most: Int, from key: MergeKey, where isMeant: (Place) -> Bool) -> [Place] {
        var (taken, left): ([Place], [Place]) = ([], [])
        for place in lanes[key]?.places ?? [] {
            if taken.count < most, isMeant(place) { taken.append(place) } else { left.append(place) }
        }
        lanes[key]?.places = left
        if left.isEmpty, lanes[key]?.probe == nil { lanes[key] = nil }
        for place in taken { note(place, -1) }
        return taken
    }

    private mutating func note(_ place: Place, _ sign: Int) {
        count += sign
        let items = UInt64(place.items)
        var known = counts[place.source] ?? (0, 0)
        known.places += sign
        known.items = sign > 0 ? known.items + items : known.items - items
        counts[place.source] = known
    }
}

extension ParkedRoutes.Place {
    fileprivate func isPinned(_ pinned: [RecordSource: UInt64]) -> Bool { pinned[source].map { id < $0 } ?? false }
}

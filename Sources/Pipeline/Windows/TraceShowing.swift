import Basics
import Journal

/// What a record behind a window is to a trace of which spans went ahead while it was open.
package enum TraceShowing: Hashable, Sendable {
    /// Spans that went ahead, as they came.
    case ahead
    /// The end of the trace, with spans to send again.
    case end(Amendments)

    /// Spans that went ahead and that some destinations take again; their bytes stand beside those of the record's own.
    package struct Amendments: Hashable, Sendable {
        /// Spans that are other than they went ahead.
        package var changed: Share
        /// Spans that are still the same, for who took nothing ahead.
        package var same: Share
        /// Whether the changed ones stand before the record's own spans, because the topmost one is among them; else they stand behind.
        package var leads: Bool

        package init(changed: Share = Share(), same: Share = Share(), leads: Bool = false) {
            (self.changed, self.same, self.leads) = (changed, same, leads)
        }
    }

    /// A part of a record's payload.
    package struct Share: Hashable, Sendable {
        package var items: Int
        package var bytes: Int

        package init(items: Int = 0, bytes: Int = 0) {
            (self.items, self.bytes) = (items, bytes)
        }
    }
}

/// What a destination takes of traces of which spans went ahead.
package enum AmendmentsTaken: Sendable {
    /// What went ahead, and the others at the end.
    case nothing
    /// What went ahead, and at the end also what changed.
    case changes
    /// Nothing ahead, and all at the end.
    case whole
}

extension TraceShowing {
    /// 0; or 1, whether changed spans lead, and the items and bytes of changed and of same ones in LEB128.
    func append(to bytes: inout [UInt8]) {
        guard case .end(let amendments) = self else { return bytes.append(0) }
        bytes += [1, amendments.leads ? 1 : 0]
        for share in [amendments.changed, amendments.same] {
            bytes.append(leb128: UInt64(max(0, share.items)))
            bytes.append(leb128: UInt64(max(0, share.bytes)))
        }
    }

    /// Nil where the bytes are something else.
    init?(popping bytes: inout ArraySlice<UInt8>) {
        switch bytes.popFirst() {
        case 0: self = .ahead
        case 1:
            guard let leads = bytes.popFirst(), let changed = Share(popping: &bytes), let same = Share(popping: &bytes)
            else { return nil }
            self = .end(Amendments(changed: changed, same: same, leads: leads == 1))
        default: return nil
        }
    }
}

extension TraceShowing.Share {
    fileprivate init?(popping bytes: inout ArraySlice<UInt8>) {
        guard let items = bytes.popLEB128().flatMap(UInt32.init(exactly:)),
            let length = bytes.popLEB128().flatMap(UInt32.init(exactly:))
        else { return nil }
        self.init(items: Int(items), bytes: Int(length))
    }
}

extension RecordMetadata {
    /// What a destination gets of a record: its payload, and the account that goes with it.
    ///
    /// - Parameters:
    ///   - payload: The record's.
    ///   - items: Ids that it takes.
    ///   - taken: What the destination takes.
    /// - Returns: The part of the payload; empty where nothing is left.
    mutating func cut(_ payload: [UInt8], items: UInt32, for taken: AmendmentsTaken) -> [UInt8] {
        switch (showing, taken) {
        case (nil, _), (.ahead, .nothing), (.ahead, .changes): return payload
        case (.ahead, .whole):
            removed[.filtered] += UInt64(items) + UInt64(created) - removed.sum
            return []
        case (.end(let amendments), _):
            let (changed, same) = (amendments.changed, amendments.same)
            let own = payload.count - min(payload.count, changed.bytes + same.bytes)
            let ownStart = amendments.leads ? changed.bytes : 0
            switch taken {
            case .nothing:
                return Array(payload.dropFirst(ownStart).prefix(own))
            case .changes:
                created += UInt32(clamping: changed.items)
                return same.bytes == 0 ? payload : Array(payload.prefix(own + changed.bytes))
            case .whole:
                created += UInt32(clamping: changed.items + same.items)
                return payload
            }
        }
    }
}

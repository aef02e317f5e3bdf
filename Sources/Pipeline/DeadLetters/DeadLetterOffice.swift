import Basics
import Synchronization

/// Lists, shows, replays and purges the dead letters of all exporters, for the command line and the admin endpoint.
package struct DeadLetterOffice: Sendable {
    private let boxes: [DeadLetterBox]

    package init(_ boxes: [DeadLetterBox]) {
        self.boxes = boxes
    }

    /// What is asked.
    package struct Request: Sendable, Equatable {
        /// What is done to the letters.
        package enum Action: String, Sendable, CaseIterable {
            case list, show, replay, purge
        }

        package let action: Action
        /// An exporter's key in the pipeline file; nil for all.
        package let exporter: String?
        /// One letter's id as listings give it, `PIPELINE/EXPORTER/NUMBER`; nil for all.
        package let id: String?

        package init(_ action: Action, exporter: String? = nil, id: String? = nil) {
            self.action = action
            self.exporter = exporter
            self.id = id
        }
    }

    /// What is answered.
    package enum Answer: Sendable, Equatable {
        /// JSON: the listing, the letters with their content, or how many letters and spans were moved.
        case done([UInt8])
        /// There is no such exporter or letter, or the request is incomplete; for the operator.
        case unknown(String)
        /// Not everything could be queued; for the operator.
        case incomplete(String)
    }

    /// Does what is asked; suspends while the disk works.
    package func answer(_ request: Request) async -> Answer {
        if request.action == .show, request.id == nil { return .unknown("show needs the id of a dead letter") }
        let target: LetterTarget
        switch LetterTarget.find(request, among: boxes) {
        case .success(let found): target = found
        case .failure(let problem): return .unknown(problem.description)
        }
        switch request.action {
        case .list, .show: return await listing(target, withContent: request.action == .show)
        case .replay: return await replay(target)
        case .purge: return await purge(target)
        }
    }

    private func listing(_ target: LetterTarget, withContent: Bool) async -> Answer {
        let writer = Mutex(LetterListing())
        for box in target.boxes {
            await box.visit { letter in
                guard target.number == nil || target.number == letter.id else { return }
                writer.withLock { $0.write(letter, in: box, withContent: withContent) }
            }
        }
        let (bytes, count) = writer.withLock { $0.finished() }
        return target.number != nil && count == 0 ? .unknown(target.missing) : .done(bytes)
    }

    private func replay(_ target: LetterTarget) async -> Answer {
        var moved = LetterCount()
        for box in target.boxes {
            let (part, isComplete) = await box.replay(target.number)
            moved.add(part)
            guard isComplete else {
                return .incomplete(
                    "\(moved.letters) dead letters were queued; the next finds no room: replay again when they are delivered, or raise dead_letters.max_bytes"
                )
            }
        }
        return answer(moved, target)
    }

    private func purge(_ target: LetterTarget) async -> Answer {
        var purged = LetterCount()
        for box in target.boxes { purged.add(await box.purge(target.number)) }
        return answer(purged, target)
    }

    private func answer(_ count: LetterCount, _ target: LetterTarget) -> Answer {
        guard target.number == nil || count.letters > 0 else { return .unknown(target.missing) }
        var writer = JSONWriter()
        writer.beginObject()
        writer.key("letters")
        writer.integer(count.letters)
        writer.key("spans")
        writer.integer(count.spans)
        writer.endObject()
        return .done(writer.bytes)
    }
}

/// Which boxes, and which letter in them, a request means.
private struct LetterTarget {
    struct Problem: Error, CustomStringConvertible {
        let description: String
    }

    let boxes: [DeadLetterBox]
    /// Nil for all.
    let number: UInt64?

    var missing: String { "there is no dead letter \(boxes[0].id(of: number ?? 0))" }

    /// Fails for an exporter or an id that cannot be.
    static func find(
        _ request: DeadLetterOffice.Request,
        among boxes: [DeadLetterBox]
    ) -> Result<LetterTarget, Problem> {
        let known = boxes.filter { request.exporter == nil || request.exporter == $0.exporter }
        if let exporter = request.exporter, known.isEmpty {
            let names = Set(boxes.map(\.exporter)).sorted().joined(separator: ", ")
            return .failure(
                Problem(description: "no exporter \"\(exporter)\" has dead letters; those that may: \(names)")
            )
        }
        guard let id = request.id else { return .success(LetterTarget(boxes: known, number: nil)) }
        for box in known {
            let prefix = box.id(of: nil)
            guard id.hasPrefix(prefix), let number = UInt64(id.dropFirst(prefix.count)) else { continue }
            return .success(LetterTarget(boxes: [box], number: number))
        }
        return .failure(Problem(description: "there is no dead letter \(id); an id is PIPELINE/EXPORTER/NUMBER"))
    }
}

extension DeadLetterBox {
    /// The id of a letter in listings; nil gives what all of the box have in common.
    func id(of number: UInt64?) -> String { "\(pipeline)/\(exporter)/\(number.map(String.init) ?? "")" }
}

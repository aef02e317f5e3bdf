import Basics
import Journal
import OTLP
import Synchronization

/// Lists, shows, replays and purges the dead letters of all exporters, for the command line and the admin endpoint.
package struct DeadLetterOffice: Sendable {
    private let boxes: [DeadLetterBox]

    package init(_ boxes: [DeadLetterBox]) {
        self.boxes = boxes
    }

    /// What answers count, by signal: the member of the JSON, and the words for people.
    package static let items = Signal.allCases.map { (name: $0.itemsName, words: $0.items) }

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
        /// The last letter of the page before, for a listing.
        package let after: String?
        /// Letters of a page.
        package let limit: Int

        /// Letters of a page where nothing else is said.
        package static let limitDefault = 1000
        /// Letters of a page, at most: it is in memory whole.
        static let limitMax = 10_000

        package init(
            _ action: Action,
            exporter: String? = nil,
            id: String? = nil,
            after: String? = nil,
            limit: Int = Request.limitDefault
        ) {
            self.action = action
            self.exporter = exporter
            self.id = id
            self.after = after
            self.limit = limit
        }
    }

    /// What is answered.
    package enum Answer: Sendable, Equatable {
        /// JSON: a page of the listing, a letter with its content, or how many letters and items were moved.
        case done([UInt8])
        /// There is no such exporter or letter, or the request is incomplete; for the operator.
        case unknown(String)
        /// Not everything could be queued; for the operator.
        case incomplete(String)
    }

    /// Does what is asked; suspends while the disk works.
    package func answer(_ request: Request) async -> Answer {
        if request.action == .show, request.id == nil { return .unknown("show needs the id of a dead letter") }
        guard (1...Request.limitMax).contains(request.limit) else {
            return .unknown("limit \(request.limit) is not allowed: 1 to \(Request.limitMax)")
        }
        let target: LetterTarget
        switch LetterTarget.find(request, among: boxes) {
        case .success(let found): target = await found.narrowed()
        case .failure(let problem): return .unknown(problem.description)
        }
        switch request.action {
        case .list where target.number == nil: return await page(of: target.boxes, request)
        case .list, .show: return await letter(target, withContent: request.action == .show)
        case .replay: return await replay(target)
        case .purge: return await purge(target)
        }
    }

    private func letter(_ target: LetterTarget, withContent: Bool) async -> Answer {
        guard let number = target.number, let letter = await target.boxes[0].letter(number) else {
            return .unknown(target.missing)
        }
        var writer = LetterListing()
        writer.write(letter, in: target.boxes[0], withContent: withContent)
        return .done(writer.finished(next: nil))
    }

    private func page(of boxes: [DeadLetterBox], _ request: Request) async -> Answer {
        var (boxes, next): ([DeadLetterBox], UInt64?) = (boxes, 0)
        if let after = request.after {
            guard let index = boxes.firstIndex(where: { $0.number(of: after) != nil }),
                let number = boxes[index].number(of: after)
            else { return .unknown("there is no dead letter \(after); an id is PIPELINE/EXPORTER/NUMBER") }
            (boxes, next) = (Array(boxes[index...]), number + 1)
        }
        var writer = LetterListing()
        var last: String?
        for box in boxes {
            while let first = next {
                // One more than fits tells whether there is a next page.
                let page = await box.letters(from: first, lettersMax: request.limit - writer.count + 1)
                for letter in page.letters {
                    if writer.count == request.limit { return .done(writer.finished(next: last)) }
                    writer.write(letter, in: box, withContent: false)
                    last = box.id(of: letter.id)
                }
                next = page.next
            }
            next = 0
        }
        return .done(writer.finished(next: nil))
    }

    private func replay(_ target: LetterTarget) async -> Answer {
        var moved = LetterCount()
        let boxes = target.boxes.filter { !$0.isGone || successor(of: $0) != nil }
        if boxes.isEmpty, let gone = target.boxes.first {
            return .unknown(
                "nobody would deliver them: the pipeline file no longer names \(gone.exporter) for \(gone.main.signal.name) of pipeline \(gone.main.pipeline); name it again, or purge them"
            )
        }
        for box in boxes {
            let (part, isComplete) = await box.replay(target.number, in: box.isGone ? successor(of: box) : nil)
            moved.add(part)
            guard isComplete else {
                return .incomplete(
                    "\(moved.letters) dead letters were queued; the next finds no room: replay again when they are delivered, or raise dead_letters.max_bytes"
                )
            }
        }
        return answer(moved, target)
    }

    /// The box of the log that its exporter reads since a window came or went; nil where nobody reads another.
    private func successor(of box: DeadLetterBox) -> DeadLetterBox? {
        boxes.first { !$0.isGone && $0.exporter == box.exporter && $0.main == box.main.counterpart }
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
        for signal in Signal.allCases {
            guard let items = count.items[signal] ?? (signal == .traces ? 0 : nil) else { continue }
            writer.key(signal.itemsName)
            writer.integer(items)
        }
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

    /// The one box that has the letter, where several may: an exporter has one before a window and one behind it.
    func narrowed() async -> LetterTarget {
        guard let number else { return self }
        for box in boxes where await box.letter(number) != nil { return LetterTarget(boxes: [box], number: number) }
        return LetterTarget(boxes: Array(boxes.prefix(1)), number: number)
    }

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
        let named = known.filter { $0.number(of: id) != nil }
        if let number = named.first?.number(of: id) { return .success(LetterTarget(boxes: named, number: number)) }
        return .failure(Problem(description: "there is no dead letter \(id); an id is PIPELINE/EXPORTER/NUMBER"))
    }
}

extension DeadLetterBox {
    /// The id of a letter in listings, with the signal behind the pipeline unless it is traces; nil gives what all of the box have
    /// in common.
    func id(of number: UInt64?) -> String { "\(main.front.name)/\(exporter)/\(number.map(String.init) ?? "")" }

    /// The number in an id that is of this box; nil for any other text.
    fileprivate func number(of id: String) -> UInt64? {
        let prefix = self.id(of: nil)
        guard id.hasPrefix(prefix), let number = UInt64(id.dropFirst(prefix.count)), number < .max else { return nil }
        return number
    }
}

import Basics

/// The table of `millrace top`: totals of the newest look, and rates since an older one.
struct TopTable {
    /// A line, and how much it asks for attention.
    struct Line {
        enum Weight {
            case plain, heading, faint, bad
        }

        let text: String
        var weight = Weight.plain
    }

    /// Seconds that a rate is taken over, as on the console page.
    private static let window = 6.0
    private static let titles = ["COMPONENT", "KIND", "PER S", "TOTAL", "BACKLOG", "OLDEST", "ERRORS", "STATE"]

    private var history: [TopStatus] = []

    /// Adds a look; one of another process starts the rates anew.
    mutating func add(_ status: TopStatus) {
        if let last = history.last, status.seconds < last.seconds || status.uptime + 2 < last.uptime { history = [] }
        history.append(status)
        history.removeAll { status.seconds - $0.seconds > Self.window + 1 }
    }

    /// What is shown, for a terminal of so many columns; empty before the first look.
    func lines(columns: Int) -> [Line] {
        guard let status = history.last else { return [] }
        let rows = status.pipelines.flatMap { pipeline in
            [([pipeline.name, "", pipeline.items], Line.Weight.heading, String?.none)]
                + status.rows.filter { $0.key.pipeline == pipeline.name }.map(cells)
        }
        let table = [(Self.titles, Line.Weight.faint, String?.none)] + rows
        let widths = Self.titles.indices.map { column in
            table.map { $0.0.count > column ? $0.0[column].count : 0 }.max() ?? 0
        }
        let laid = table.flatMap { cells, weight, failure -> [Line] in
            let line = Line(text: Self.laidOut(cells, widths), weight: weight)
            guard let failure else { return [line] }
            return [line, Line(text: "      \(failure.excerpt())", weight: .bad)]
        }
        return (head(status) + laid).map { Line(text: $0.text.clipped(to: columns), weight: $0.weight) }
    }

    private func head(_ status: TopStatus) -> [Line] {
        let cpu = rate { $0.cpuSeconds }.map { "\(oneDigit($0 * 100)) % of a core" } ?? "–"
        let memory = bytesText(status.residentBytes)
        let first = "millrace \(status.version)   up \(durationText(status.uptime))   memory \(memory)   cpu \(cpu)"
        let second = "journal \(bytesText(status.usedBytes)) used, \(bytesText(status.leftBytes)) left"
        let trouble = status.reasons.map { Line(text: "not ready: \($0.excerpt())", weight: .bad) }
        return [Line(text: first, weight: .heading), Line(text: second)] + trouble + [Line(text: "")]
    }

    private func cells(of row: TopStatus.Row) -> ([String], Line.Weight, String?) {
        let growth = rate { status in status.rows.first { $0.key == row.key }?.total }
        let rate: String = growth.map(rateText) ?? "–"
        var waiting = ["", ""]
        if let backlog = row.backlog {
            waiting = [countText(backlog.items), backlog.items > 0 ? durationText(backlog.oldest) : ""]
        }
        let errors: String = row.errors.map(countText) ?? ""
        let name = "  \(row.key.name.excerpt(max: 32))"
        let state = row.state.excerpt(max: 60)
        let cells = [name, row.key.kind.rawValue, rate, countText(row.total)] + waiting + [errors, state]
        let isBad = row.failure != nil || row.state == "circuit open"
        return (cells, isBad ? .bad : .plain, row.failure)
    }

    /// How fast something grew lately, a second; nil while that is not known.
    private func rate(_ total: (TopStatus) -> Double?) -> Double? {
        guard let last = history.last,
            let first = history.first(where: { last.seconds - $0.seconds <= Self.window && $0.seconds < last.seconds }),
            let (before, after) = total(first).flatMap({ before in total(last).map { (before, $0) } })
        else { return nil }
        return max(0, (after - before) / (last.seconds - first.seconds))
    }

    /// Names and states to the left, numbers to the right.
    private static func laidOut(_ cells: [String], _ widths: [Int]) -> String {
        var line = ""
        for (column, cell) in cells.enumerated() {
            let space = String(repeating: " ", count: max(0, widths[column] - cell.count))
            let isText = column < 2 || column == titles.count - 1
            line += (line.isEmpty ? "" : "  ") + (isText ? cell + space : space + cell)
        }
        while line.last == " " { line.removeLast() }
        return line
    }
}

extension String {
    /// What fits into so many columns.
    fileprivate func clipped(to columns: Int) -> String {
        count <= columns ? self : String(prefix(max(0, columns - 1))) + "…"
    }
}

/// A count in full, with commas between thousands.
func countText(_ value: Double) -> String {
    let digits = Array(String(Int(value)))
    return digits.indices.reduce(into: "") { text, index in
        if index > 0, (digits.count - index) % 3 == 0, digits[index - 1] != "-" { text.append(",") }
        text.append(digits[index])
    }
}

/// So many a second; below ten with a fraction.
private func rateText(_ value: Double) -> String { value < 9.95 ? oneDigit(value) : countText(value.rounded()) }

private func oneDigit(_ value: Double) -> String {
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10)"
}

/// A size in powers of 1024.
private func bytesText(_ value: Double) -> String {
    var (rest, unit) = (value, 0)
    let units = ["B", "KiB", "MiB", "GiB", "TiB"]
    while rest >= 1023.5, unit < units.count - 1 { (rest, unit) = (rest / 1024, unit + 1) }
    return "\(unit == 0 || rest >= 99.5 ? String(Int(rest.rounded())) : oneDigit(rest)) \(units[unit])"
}

/// A duration in one unit that says enough.
func durationText(_ seconds: Double) -> String {
    if seconds < 9.95 { return "\(oneDigit(max(0, seconds))) s" }
    if seconds < 99.5 { return "\(Int(seconds.rounded())) s" }
    let minutes = Int((seconds / 60).rounded())
    if minutes < 100 { return "\(minutes) min" }
    return minutes < 48 * 60 ? "\(minutes / 60) h \(minutes % 60) min" : "\(minutes / 60 / 24) d"
}

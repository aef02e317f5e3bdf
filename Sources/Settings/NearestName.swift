/// The known name that a mistyped one most likely means; nil where none is near.
///
/// Case and the difference between `-` and `_` do not count. Near is at most one edit for each three letters.
package func nearest(to name: String, among known: [String]) -> String? {
    let wanted = folded(name)
    let ranked = known.map { (name: $0, distance: editDistance(wanted, folded($0))) }
    guard let best = ranked.min(by: { $0.distance < $1.distance }) else { return nil }
    return best.distance <= max(1, wanted.count / 3) ? best.name : nil
}

private func folded(_ name: String) -> [UInt8] {
    name.lowercased().utf8.map { $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: " ") ? UInt8(ascii: "_") : $0 }
}

/// Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment distance).
private func editDistance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var beforePrevious: [Int] = []
    var previous = Array(0...right.count)
    for (row, letter) in left.enumerated() {
        var current = [row + 1]
        for (column, other) in right.enumerated() {
            let replaced = previous[column] + (letter == other ? 0 : 1)
            var best = min(replaced, previous[column + 1] + 1, current[column] + 1)
            let swapped = row > 0 && column > 0 && letter == right[column - 1] && left[row - 1] == other
            if swapped { best = min(best, beforePrevious[column - 1] + 1) }
            current.append(best)
        }
        (beforePrevious, previous) = (previous, current)
    }
    return previous[right.count]
}

import Basics

/// Who sent the traces that wait, and how many bytes of a window's memory these take.
struct OpenSenders: Sendable {
    private struct Entry: Sendable {
        let sender: Sender
        var bytes = 0
        var traces = 0
    }

    private var numbers: [Sender: UInt32] = [:]
    private var entries: [Entry] = []
    /// Numbers of those that have no traces any more.
    private var free: [UInt32] = []

    /// What it holds itself.
    var memoryBytes: Int {
        numbers.count * (2 * (MemoryLayout<Sender>.stride + MemoryLayout<UInt32>.stride) + MemoryLayout<Entry>.stride)
    }

    /// Notes a trace that begins to wait, and says the number of its sender.
    mutating func open(_ sender: Sender) -> UInt32 {
        let number: UInt32
        if let known = numbers[sender] {
            number = known
        } else if let old = free.popLast() {
            (number, entries[Int(old)]) = (old, Entry(sender: sender))
        } else {
            number = UInt32(truncatingIfNeeded: entries.count)
            entries.append(Entry(sender: sender))
        }
        numbers[sender] = number
        entries[Int(number)].traces += 1
        return number
    }

    /// Notes what a trace takes more than before.
    mutating func add(_ bytes: Int, to number: UInt32) { entries[Int(number)].bytes += bytes }

    /// Notes that a trace of so many bytes waits no longer.
    mutating func close(_ number: UInt32, _ bytes: Int) {
        entries[Int(number)].bytes -= bytes
        entries[Int(number)].traces -= 1
        guard entries[Int(number)].traces == 0 else { return }
        numbers[entries[Int(number)].sender] = nil
        free.append(number)
        if numbers.isEmpty { (entries, free) = ([], []) }
    }

    /// By number, what each has to give so that so many bytes are free: those that hold most give until all of them hold as much.
    func shares(of bytes: Int) -> [Int] {
        var level = 0
        var sum = 0
        let held = entries.map(\.bytes).sorted(by: >)
        for (index, own) in held.enumerated() {
            // Where the first `index + 1` come down to what the next one has.
            let next = index + 1 < held.count ? held[index + 1] : 0
            let step = (own - next) * (index + 1)
            guard sum + step < bytes else {
                level = own - (bytes - sum + index) / (index + 1)
                break
            }
            (sum, level) = (sum + step, next)
        }
        return entries.map { max(0, $0.bytes - level) }
    }
}

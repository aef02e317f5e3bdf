import CFuzz
import Foundation

/// One thing that is hunted.
protocol FuzzTarget: Sendable {
    /// Runs one input; ends the process where it finds something.
    static func run(_ input: [UInt8])

    /// Changes an input so that it stays close to what the target reads; `other` is another input to take parts from.
    static func mutate(_ input: [UInt8], with other: [UInt8], max: Int, _ random: inout SeededGenerator) -> [UInt8]
}

extension FuzzTarget {
    /// One of libFuzzer's own changes to bytes that mean nothing to it.
    static func mutateBytes(_ bytes: [UInt8], max: Int) -> [UInt8] {
        guard max > 0 else { return [] }
        var room = Array(bytes.prefix(max))
        let size = room.count
        room += [UInt8](repeating: 0, count: max - size)
        let count = room.withUnsafeMutableBufferPointer { buffer in
            buffer.baseAddress.map { LLVMFuzzerMutate($0, size, max) } ?? 0
        }
        return Array(room.prefix(count))
    }
}

/// `MILLRACE_FUZZ_TARGET=wire Fuzz FOLDER… -max_total_time=60`: libFuzzer with the target of that name.
@main
enum Fuzz {
    static let targets: [String: any FuzzTarget.Type] = [
        "wire": WireTarget.self,
        "json": JSONTarget.self,
        "http": HTTPTarget.self,
        "inflate": InflateTarget.self,
        "nats": NATSTarget.self,
    ]

    /// The one that the environment names.
    static let target: any FuzzTarget.Type = {
        let name = ProcessInfo.processInfo.environment["MILLRACE_FUZZ_TARGET"] ?? ""
        guard let target = targets[name] else {
            fatalError("MILLRACE_FUZZ_TARGET is \"\(name)\"; it is one of \(targets.keys.sorted())")
        }
        return target
    }()

    static func main() {
        _ = target
        var count = CommandLine.argc
        var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
        exit(LLVMFuzzerRunDriver(&count, &arguments) { fuzzOne($0, $1) })
    }
}

/// Runs one input; libFuzzer looks for it by this name.
@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOne(_ data: UnsafePointer<UInt8>?, _ size: Int) -> Int32 {
    Fuzz.target.run(Array(UnsafeBufferPointer(start: data, count: size)))
    return 0
}

/// Changes one input in place.
@_cdecl("LLVMFuzzerCustomMutator")
func fuzzMutate(_ data: UnsafeMutablePointer<UInt8>, _ size: Int, _ max: Int, _ seed: UInt32) -> Int {
    let input = Array(UnsafeBufferPointer(start: data, count: size))
    return write(change(input, with: [], max: max, seed: seed), to: data, max)
}

/// Makes one input of two.
@_cdecl("LLVMFuzzerCustomCrossOver")
func fuzzCross(
    _ first: UnsafePointer<UInt8>?,
    _ firstSize: Int,
    _ second: UnsafePointer<UInt8>?,
    _ secondSize: Int,
    _ output: UnsafeMutablePointer<UInt8>,
    _ max: Int,
    _ seed: UInt32
) -> Int {
    let input = Array(UnsafeBufferPointer(start: first, count: firstSize))
    let other = Array(UnsafeBufferPointer(start: second, count: secondSize))
    return write(change(input, with: other, max: max, seed: seed), to: output, max)
}

/// Several changes at once now and then; one that does not fit is none.
private func change(_ input: [UInt8], with other: [UInt8], max: Int, seed: UInt32) -> [UInt8] {
    var random = SeededGenerator(seed: UInt64(seed))
    var changed = input
    for _ in 0...random.below(3) {
        let next = Fuzz.target.mutate(changed, with: other, max: max, &random)
        if next.count <= max { changed = next }
    }
    return changed
}

private func write(_ bytes: [UInt8], to output: UnsafeMutablePointer<UInt8>, _ max: Int) -> Int {
    let count = min(bytes.count, max)
    bytes.withUnsafeBufferPointer { source in
        if let base = source.baseAddress { output.update(from: base, count: count) }
    }
    return count
}

extension [UInt8] {
    /// The number that the first eight bytes say, and what follows them.
    var seeded: (seed: UInt64, rest: [UInt8]) {
        (prefix(8).reversed().reduce(0) { $0 << 8 | UInt64($1) }, Array(dropFirst(8)))
    }

    /// These bytes behind a number in eight bytes.
    func seeded(_ seed: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: seed >> UInt64($0 * 8)) } + self
    }
}

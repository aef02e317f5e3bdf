import CMachine
import Glibc

/// What this process uses of the machine.
package enum ProcessUsage {
    /// Resident memory; nothing where /proc is missing.
    package static var resident: ByteCount { ByteCount(bytes: Int(clamping: millrace_resident_bytes())) }
    /// Processor time so far, user and system.
    package static var cpuTime: Duration { .nanoseconds(Int64(clamping: millrace_cpu_nanoseconds())) }

    /// The number by which the system knows the process.
    package static var number: Int { Int(getpid()) }

    /// The name of the machine, or of the container; empty where it cannot be had.
    package static var host: String {
        var name = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&name, name.count - 1) == 0 else { return "" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Cores that the process is allowed to run on.
    package static var usableCores: Int { Int(millrace_usable_cores()) }

    /// Raises the limit of open files to what the system allows; once, before connections are accepted.
    ///
    /// - Returns: How many files may be open then; `Int.max` where that is unknown.
    package static func raiseDescriptorLimit() -> Int {
        let limit = millrace_raise_descriptor_limit()
        return limit > 0 ? Int(clamping: limit) : .max
    }

    /// Lets the allocator keep the memory of bodies, as `memory` allows; once, before anything large is allocated.
    package static func tuneAllocator(for memory: ByteCount) { millrace_tune_allocator(max(memory.bytes, 0)) }

    /// Gives memory back to the system that is not in use; may take some milliseconds, in which nothing can be allocated.
    package static func releaseMemory() { millrace_release_memory() }
}

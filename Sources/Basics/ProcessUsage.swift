import CMachine

/// What this process uses of the machine.
package enum ProcessUsage {
    /// Resident memory; nothing where /proc is missing.
    package static var resident: ByteCount { ByteCount(bytes: Int(clamping: millrace_resident_bytes())) }
    /// Processor time so far, user and system.
    package static var cpuTime: Duration { .nanoseconds(Int64(clamping: millrace_cpu_nanoseconds())) }

    /// Cores that the process is allowed to run on.
    package static var usableCores: Int { Int(millrace_usable_cores()) }

    /// Fixes the allocator's thresholds for large bodies, once, before anything large is allocated.
    package static func tuneAllocator() { millrace_tune_allocator() }
}

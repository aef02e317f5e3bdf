/// Lets others run until the condition holds; false after two minutes, so that a test fails and does not wait for ever.
package func until(_ condition: () -> Bool, isolation: isolated (any Actor)? = #isolation) async -> Bool {
    let end = ContinuousClock.now + .seconds(120)
    while !condition() {
        guard ContinuousClock.now < end else { return false }
        // Others have the processor meanwhile: hundreds of tests wait at the same time. A cancelled task does not sleep.
        await Task.yield()
        try? await Task.sleep(for: .milliseconds(1))
    }
    return true
}

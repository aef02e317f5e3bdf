/// Lets others run until the condition holds; false after two minutes, so that a test fails and does not wait for ever.
package func until(_ condition: () -> Bool, isolation: isolated (any Actor)? = #isolation) async -> Bool {
    let end = ContinuousClock.now + .seconds(120)
    while !condition() {
        guard ContinuousClock.now < end else { return false }
        await Task.yield()
    }
    return true
}

extension Task where Success == Void, Failure == Never {
    /// Returns once the task has ended, or that much time is over; then it goes on.
    package func wait(atMost limit: Duration) async {
        let bell = Doorbell()
        let ended = Task {
            await value
            bell.ring()
        }
        let alarm = Task {
            try? await Task<Never, Never>.sleep(for: limit)
            bell.ring()
        }
        await bell.wait()
        ended.cancel()
        alarm.cancel()
    }
}

extension Array {
    /// An array of `count` times the same element.
    ///
    /// `init(repeating:count:)` fills fast, and looks up the type of its storage at run time, which takes as long as filling
    /// a hundred places one by one: too dear for the short arrays of small requests.
    @inlinable package init(filledWith element: Element, count: Int) {
        guard count <= 100 else {
            self.init(repeating: element, count: count)
            return
        }
        self = []
        reserveCapacity(count)
        for _ in 0..<count { append(element) }
    }
}

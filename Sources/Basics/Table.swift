/// Plain values that were put together on a stack and are only read from then on; copies share them.
@usableFromInline
package struct Table<Element: BitwiseCopyable & Sendable>: RandomAccessCollection, Sendable {
    /// The values; freed with the last copy.
    @usableFromInline
    final class Room: @unchecked Sendable {
        @usableFromInline let elements: UnsafeMutableBufferPointer<Element>

        @inlinable
        init(_ elements: UnsafeMutableBufferPointer<Element>) {
            unsafe self.elements = elements
        }

        @inlinable
        deinit {
            unsafe elements.deallocate()
        }
    }

    @usableFromInline let room: Room?
    @usableFromInline nonisolated(unsafe) let elements: UnsafeBufferPointer<Element>

    /// One without values.
    @inlinable
    package init() {
        room = nil
        unsafe elements = UnsafeBufferPointer(start: nil, count: 0)
    }

    /// Takes over the values of a stack.
    @inlinable
    package init(_ stack: consuming Stack<Element>) {
        var stack = stack
        let count = stack.count
        let owner = unsafe Room(stack.takeRoom())
        room = owner
        unsafe elements = UnsafeBufferPointer(rebasing: owner.elements[0..<count])
    }

    @inlinable package var startIndex: Int { 0 }
    @inlinable package var endIndex: Int { elements.count }

    /// Traps outside of what there is.
    @inlinable
    package subscript(index: Int) -> Element {
        @inline(__always) get {
            precondition(index >= 0 && index < elements.count)
            return unsafe elements[index]
        }
    }
}

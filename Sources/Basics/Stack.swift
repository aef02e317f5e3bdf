/// Plain values that grow at their end, with one owner.
///
/// An array asks at every change whether somebody else holds it; a stack cannot be held twice.
@usableFromInline
package struct Stack<Element: BitwiseCopyable>: ~Copyable {
    @usableFromInline var room: UnsafeMutableBufferPointer<Element>
    /// How many there are.
    @usableFromInline package var count = 0

    @inlinable
    package init() {
        unsafe room = UnsafeMutableBufferPointer(start: nil, count: 0)
    }

    /// With room for that many.
    @inlinable
    package init(reserving count: Int) {
        unsafe room = .allocate(capacity: count)
    }

    @inlinable
    deinit {
        unsafe room.deallocate()
    }

    /// Gives up the memory; whoever takes it frees it.
    @inlinable
    mutating func takeRoom() -> UnsafeMutableBufferPointer<Element> {
        let taken = unsafe room
        unsafe room = UnsafeMutableBufferPointer(start: nil, count: 0)
        count = 0
        return unsafe taken
    }

    @inlinable package var isEmpty: Bool { count == 0 }

    /// Traps outside of what there is.
    @inlinable
    package subscript(index: Int) -> Element {
        @inline(__always) get {
            precondition(index >= 0 && index < count)
            return unsafe room[index]
        }
        @inline(__always) set {
            precondition(index >= 0 && index < count)
            unsafe room[index] = newValue
        }
    }

    @inlinable @inline(__always)
    package mutating func append(_ element: Element) {
        if count == room.count { grow() }
        unsafe room[count] = element
        count &+= 1
    }

    @usableFromInline @inline(never)
    mutating func grow() {
        let larger = UnsafeMutableBufferPointer<Element>.allocate(capacity: max(64, room.count * 2))
        _ = unsafe larger.initialize(from: room[0..<count])
        unsafe room.deallocate()
        unsafe room = larger
    }

    /// Forgets everything behind the first `count`, and keeps the room.
    @inlinable
    package mutating func truncate(to count: Int) {
        precondition(count >= 0 && count <= self.count)
        self.count = count
    }
}

// One owner at a time: what it points to goes where it goes.
extension Stack: @unchecked Sendable where Element: Sendable {}

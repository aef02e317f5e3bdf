import Basics

/// Builds one `AnyValue` in wire form, straight into the bytes that a batch will send.
///
/// One scalar or one container is written; inside containers as many values as wanted, each member of a key-value list
/// after its `key`. The caller is trusted to end what it begins, the innermost first.
@usableFromInline
package struct ValueBuilder: Sendable {
    /// A container that has begun and has to be ended; of each length where it ends, -1 where there is none.
    @usableFromInline
    package struct Container: Sendable {
        /// The length of the list.
        @usableFromInline let list: Int
        /// The length of the `AnyValue` around it.
        @usableFromInline let value: Int
        /// The length of the member that it is the value of.
        @usableFromInline let member: Int
        /// The bytes left for the first two and for the third.
        @usableFromInline let lengthSize: Int
        @usableFromInline let memberSize: Int

        @inlinable @inline(__always)
        init(list: Int, value: Int, member: Int, lengthSize: Int, memberSize: Int) {
            self.list = list
            self.value = value
            self.member = member
            self.lengthSize = lengthSize
            self.memberSize = memberSize
        }
    }

    /// What has been built so far, one thing behind the other.
    @usableFromInline var bytes = ByteSink()
    /// How many containers have begun and not ended.
    @usableFromInline var depth = 0
    /// Where the length of the member ends whose value was not written yet; -1 where there is none.
    @usableFromInline var member = -1
    @usableFromInline var memberSize = 1
    @usableFromInline var lengthSize = 1

    init() {}

    /// How many bytes were written, those of values before included.
    @inlinable @inline(__always) package var count: Int { bytes.count }

    /// Where the next byte goes.
    @inlinable @inline(__always) var position: Int32 { Int32(truncatingIfNeeded: bytes.count) }

    /// A text.
    package mutating func string(_ value: String) {
        let size = value.utf8.count
        let tag = tag
        bytes.write(atMost: size + 24) { writer in
            writer.value(tag, size: 1 + varintSize(size) + size)
            writer.field(0x0A, length: size)
            writer.letters(value)
        }
        end()
    }

    /// A text whose UTF-8 stands in `range` of `text`; the caller knows that it is well-formed.
    package mutating func string(_ text: RawSpan, _ range: Range<Int>) {
        let tag = tag
        bytes.write(atMost: range.count + 24) { writer in
            writer.value(tag, size: 1 + varintSize(range.count) + range.count)
            writer.field(0x0A, length: range.count)
            writer.bytes(text, range)
        }
        end()
    }

    /// The same from the body of the batch that the value is added to, and from nowhere else: a long text is read there later.
    package mutating func string(ofBody body: RawSpan, _ range: Range<Int>) {
        guard range.count >= Self.quoteMin else { return string(body, range) }
        let tag = tag
        var position = 0
        bytes.write(atMost: range.count + 24) { writer in
            writer.value(tag, size: 1 + varintSize(range.count) + range.count)
            writer.field(0x0A, length: range.count)
            position = writer.position
            writer.skip(range.count)
        }
        quote(range, at: position)
        end()
    }

    package mutating func bool(_ value: Bool) {
        let tag = tag
        bytes.write(atMost: 8) { writer in
            writer.value(tag, size: 2)
            writer.byte(0x10)
            writer.byte(value ? 1 : 0)
        }
        end()
    }

    package mutating func int(_ value: Int64) {
        let tag = tag
        bytes.write(atMost: 24) { writer in
            writer.value(tag, size: 1 + varintSize(Int(value)))
            writer.byte(0x18)
            writer.varint(UInt64(bitPattern: value))
        }
        end()
    }

    package mutating func double(_ value: Double) {
        let tag = tag
        bytes.write(atMost: 24) { writer in
            writer.value(tag, size: 9)
            writer.byte(0x21)
            writer.word(value.bitPattern)
        }
        end()
    }

    package mutating func bytes(_ value: [UInt8]) {
        let tag = tag
        bytes.write(atMost: value.count + 24) { writer in
            writer.value(tag, size: 1 + varintSize(value.count) + value.count)
            writer.field(0x3A, length: value.count)
            writer.bytes(value.span.bytes, 0..<value.count)
        }
        end()
    }

    /// An `AnyValue` in which nothing is set.
    package mutating func null() {
        let tag = tag
        bytes.write(atMost: 8) { $0.value(tag, size: 0) }
        end()
    }

    /// An `AnyValue` message copied as it stands in `range` of `text`.
    package mutating func raw(_ text: RawSpan, _ range: Range<Int>) {
        let tag = tag
        bytes.write(atMost: range.count + 24) { writer in
            writer.value(tag, size: range.count)
            writer.bytes(text, range)
        }
        end()
    }

    /// The same from the body of the batch that the value is added to, and from nowhere else: a long value is read there later.
    package mutating func raw(ofBody body: RawSpan, _ range: Range<Int>) {
        guard range.count >= Self.quoteMin else { return raw(body, range) }
        let tag = tag
        var position = 0
        bytes.write(atMost: range.count + 24) { writer in
            writer.value(tag, size: range.count)
            position = writer.position
            writer.skip(range.count)
        }
        quote(range, at: position)
        end()
    }

    /// Bytes of a body for which a copy costs more than to note where they stand.
    package static var quoteMin: Int { 256 }

    /// Says that the bytes that were left out at `position` are those in `range` of the body of the request.
    package mutating func quote(_ range: Range<Int>, at position: Int) {
        precondition(position >= 0 && position + range.count <= bytes.count)
        bytes.quotes.append(ByteQuote(position: position, source: range))
    }

    @inlinable @inline(__always)
    package mutating func beginArray() -> Container { begin(0x2A) }

    @inlinable @inline(__always)
    package mutating func beginKeyValueList() -> Container { begin(0x32) }

    /// Ends the innermost container.
    @inlinable @inline(__always)
    package mutating func end(_ container: Container) {
        depth &-= 1
        bytes.close(container.list, reserved: container.lengthSize)
        if container.value >= 0 { bytes.close(container.value, reserved: container.lengthSize) }
        if container.member >= 0 { bytes.close(container.member, reserved: container.memberSize) }
    }

    /// The key of the member whose value is written next.
    @inlinable @inline(__always)
    package mutating func key(_ name: StaticString) { beginMember(name.utf8CodeUnitCount) { $0.letters(name) } }

    /// The key of the member whose value is written next.
    ///
    /// Disfavoured, because a literal is a `String` otherwise.
    @_disfavoredOverload
    package mutating func key(_ name: String) { beginMember(name.utf8.count) { $0.letters(name) } }

    /// The key of the member whose value is written next, from its UTF-8 in `range` of `text`.
    package mutating func key(_ text: RawSpan, _ range: Range<Int>) {
        beginMember(range.count) { $0.bytes(text, range) }
    }

    /// Says how many bytes what is opened next will about take, so that little has to be moved when it ends.
    ///
    /// Counts until the attribute's value ends; a wrong guess costs time only.
    @inlinable @inline(__always)
    package mutating func expect(bytes count: Int) { lengthSize = min(varintSize(count), 3) }

    /// Starts the value of an attribute of its own, whatever is open around it.
    @inlinable @inline(__always)
    mutating func beginValue() {
        lengthSize = 1
        precondition(depth == 0, "an attribute is added while a container is open")
    }

    @inlinable @inline(__always)
    mutating func endValue() {
        precondition(depth == 0 && member < 0, "a container was not ended")
    }

    /// What was written and what is open.
    struct Checkpoint {
        fileprivate let bytes: Int
        fileprivate let depth: Int
        fileprivate let member: Int
        fileprivate let memberSize: Int
    }

    var checkpoint: Checkpoint {
        Checkpoint(bytes: bytes.count, depth: depth, member: member, memberSize: memberSize)
    }

    /// Forgets what was written since `checkpoint`.
    mutating func restore(_ checkpoint: Checkpoint) {
        bytes.truncate(to: checkpoint.bytes)
        depth = checkpoint.depth
        member = checkpoint.member
        memberSize = checkpoint.memberSize
    }

    /// The tag of the next `AnyValue` where it belongs; 0 where it stands alone.
    @inlinable @inline(__always) var tag: UInt8 { member >= 0 ? 0x12 : depth == 0 ? 0 : 0x0A }

    /// Ends the member around an `AnyValue`.
    @inline(__always)
    private mutating func end() {
        guard member >= 0 else { return }
        bytes.close(member, reserved: memberSize)
        member = -1
    }

    @inlinable @inline(__always)
    mutating func begin(_ list: UInt8) -> Container {
        let tag = tag
        let size = lengthSize
        bytes.write(atMost: 16) { writer in
            if tag != 0 {
                writer.byte(tag)
                writer.skip(size)
            }
            writer.byte(list)
            writer.skip(size)
        }
        let start = bytes.count
        let container = Container(
            list: start,
            value: tag == 0 ? -1 : start &- 1 &- size,
            member: member,
            lengthSize: size,
            memberSize: memberSize
        )
        depth &+= 1
        member = -1
        return container
    }

    @inlinable @inline(__always)
    mutating func beginMember(_ size: Int, _ key: (inout ByteWriter) -> Void) {
        let reserved = lengthSize
        member = bytes.count &+ 1 &+ reserved
        memberSize = reserved
        bytes.write(atMost: size &+ 24) { writer in
            writer.byte(0x0A)
            writer.skip(reserved)
            writer.field(0x0A, length: size)
            key(&writer)
        }
    }
}

extension ByteWriter {
    /// Tag and length of a length-delimited field.
    @inlinable @inline(__always)
    mutating func field(_ tag: UInt8, length: Int) {
        byte(tag)
        varint(length)
    }

    /// The same where the length is known to be under 0x80.
    @inlinable @inline(__always)
    mutating func shortField(_ tag: UInt8, length: Int) { pair(tag, UInt8(truncatingIfNeeded: length)) }

    /// Tag and length of an `AnyValue`, where it has some.
    @inline(__always)
    fileprivate mutating func value(_ tag: UInt8, size: Int) {
        if tag != 0 { field(tag, length: size) }
    }
}

extension ValueBuilder {
    /// The `KeyValue` in `field` as a field of that tag with another key.
    mutating func renamed(_ key: String, _ field: Range<Int>, as tag: UInt8, in text: RawSpan) {
        var around = WireReader(field)
        guard let content = try? around.next(in: text)?.content else { return }
        let size = key.utf8.count
        let start = bytes.count + 2
        bytes.write(atMost: size + field.count + 24) { writer in
            writer.byte(tag)
            writer.skip(1)
            writer.field(0x0A, length: size)
            writer.letters(key)
            var reader = WireReader(content)
            while let part = try? reader.next(in: text) {
                if part.number != 1 { writer.bytes(text, part.field) }
            }
        }
        bytes.close(start, reserved: 1)
    }

    /// A `KeyValue` as a field of that tag.
    mutating func attribute(_ key: String, as tag: UInt8, _ build: (inout ValueBuilder) -> Void) {
        let start = bytes.count + 2
        bytes.write(atMost: key.utf8.count + 32) { writer in
            writer.byte(tag)
            writer.skip(1)
            writer.field(0x0A, length: key.utf8.count)
            writer.letters(key)
            writer.byte(0x12)
            writer.skip(1)
        }
        let value = bytes.count
        beginValue()
        build(&self)
        endValue()
        bytes.close(value, reserved: 1)
        bytes.close(start, reserved: 1)
    }
}

/// Builds the attributes of an event that is added.
package struct AttributesBuilder: Sendable {
    var values: ValueBuilder

    /// Adds one attribute.
    package mutating func add(_ key: StaticString, _ build: (inout ValueBuilder) -> Void) {
        let size = key.utf8CodeUnitCount
        let start = values.bytes.count + 2
        values.bytes.write(atMost: size + 24) { writer in
            writer.byte(0x1A)
            writer.skip(1)
            writer.field(0x0A, length: size)
            writer.letters(key)
            writer.byte(0x12)
            writer.skip(1)
        }
        let value = values.bytes.count
        build(&values)
        values.bytes.close(value, reserved: 1)
        values.bytes.close(start, reserved: 1)
    }
}

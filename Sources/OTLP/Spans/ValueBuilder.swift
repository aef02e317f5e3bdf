import Basics

/// Builds one `AnyValue` in wire form, straight into the bytes that a batch will send.
///
/// One scalar or one container is written; inside containers as many values as wanted, each member of a key-value list
/// after its `key`. The caller is trusted to close what it opens.
package struct ValueBuilder: Sendable {
    /// A container that is not closed; of each length where it ends, -1 where there is none.
    private struct Container {
        /// The length of the list.
        var list: Int32
        /// The length of the `AnyValue` around it.
        var value: Int32
        /// The length of the member that it is the value of.
        var member: Int32
        /// The bytes left for the first two and for the third.
        var lengthSize: Int8
        var memberSize: Int8
    }

    /// What has been built so far, one thing behind the other.
    var bytes = ByteSink()
    private var containers: [Container] = []
    /// Where the length of the member ends whose value was not written yet; -1 where there is none.
    private var member: Int32 = -1
    private var memberSize: Int8 = 1
    private var lengthSize: Int8 = 1

    init() {}

    /// Where the next byte goes.
    @inline(__always) var position: Int32 { Int32(truncatingIfNeeded: bytes.count) }

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

    package mutating func beginArray() { open(0x2A) }
    package mutating func endArray() { close() }
    package mutating func beginKeyValueList() { open(0x32) }
    package mutating func endKeyValueList() { close() }

    /// The key of the member whose value is written next.
    package mutating func key(_ name: StaticString) { openMember(name.utf8CodeUnitCount) { $0.letters(name) } }

    /// The key of the member whose value is written next.
    ///
    /// Disfavoured, because a literal is a `String` otherwise.
    @_disfavoredOverload
    package mutating func key(_ name: String) { openMember(name.utf8.count) { $0.letters(name) } }

    /// The key of the member whose value is written next, from its UTF-8 in `range` of `text`.
    package mutating func key(_ text: RawSpan, _ range: Range<Int>) {
        openMember(range.count) { $0.bytes(text, range) }
    }

    /// Says how many bytes what is opened next will about take, so that little has to be moved when it ends.
    ///
    /// Counts until the attribute's value ends; a wrong guess costs time only.
    package mutating func expect(bytes count: Int) {
        lengthSize = Int8(truncatingIfNeeded: min(varintSize(count), 3))
    }

    /// Starts the value of an attribute of its own, whatever is open around it.
    mutating func beginValue() {
        lengthSize = 1
        precondition(containers.isEmpty, "an attribute is added while a container is open")
    }

    mutating func endValue() {
        precondition(containers.isEmpty && member < 0, "a container was not closed")
    }

    /// What was written and what is open.
    struct Checkpoint {
        fileprivate let bytes: Int
        fileprivate let containers: Int
        fileprivate let member: Int32
        fileprivate let memberSize: Int8
    }

    var checkpoint: Checkpoint {
        Checkpoint(bytes: bytes.count, containers: containers.count, member: member, memberSize: memberSize)
    }

    /// Forgets what was written since `checkpoint`.
    mutating func restore(_ checkpoint: Checkpoint) {
        bytes.truncate(to: checkpoint.bytes)
        containers.removeLast(containers.count - checkpoint.containers)
        member = checkpoint.member
        memberSize = checkpoint.memberSize
    }

    /// The tag of the next `AnyValue` where it belongs; 0 where it stands alone.
    @inline(__always)
    private var tag: UInt8 { member >= 0 ? 0x12 : containers.isEmpty ? 0 : 0x0A }

    /// Ends the member around an `AnyValue`.
    @inline(__always)
    private mutating func end() {
        guard member >= 0 else { return }
        bytes.close(Int(member), reserved: Int(memberSize))
        member = -1
    }

    private mutating func open(_ list: UInt8) {
        let tag = tag
        let size = Int(lengthSize)
        bytes.write(atMost: 16) { writer in
            if tag != 0 {
                writer.byte(tag)
                writer.skip(size)
            }
            writer.byte(list)
            writer.skip(size)
        }
        let start = position
        let value = start &- 1 &- Int32(lengthSize)
        containers.append(
            Container(
                list: start,
                value: tag == 0 ? -1 : value,
                member: member,
                lengthSize: lengthSize,
                memberSize: memberSize
            )
        )
        member = -1
    }

    private mutating func close() {
        guard let container = containers.popLast() else { return }
        bytes.close(Int(container.list), reserved: Int(container.lengthSize))
        if container.value >= 0 { bytes.close(Int(container.value), reserved: Int(container.lengthSize)) }
        if container.member >= 0 { bytes.close(Int(container.member), reserved: Int(container.memberSize)) }
    }

    @inline(__always)
    private mutating func openMember(_ size: Int, _ key: (inout ByteWriter) -> Void) {
        let reserved = Int(lengthSize)
        member = position &+ 1 &+ Int32(lengthSize)
        memberSize = lengthSize
        bytes.write(atMost: size + 24) { writer in
            writer.byte(0x0A)
            writer.skip(reserved)
            writer.field(0x0A, length: size)
            key(&writer)
        }
    }
}

extension ByteWriter {
    /// Tag and length of a length-delimited field.
    @inline(__always)
    mutating func field(_ tag: UInt8, length: Int) {
        byte(tag)
        varint(length)
    }

    /// The same where the length is known to be under 0x80.
    @inline(__always)
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

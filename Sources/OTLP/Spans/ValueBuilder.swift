import Basics

/// Builds one `AnyValue` in wire form, straight into the bytes that a batch will send.
///
/// One scalar or one container is written; inside containers as many values as wanted, each member of a key-value list
/// after its `key`. The caller is trusted to close what it opens.
package struct ValueBuilder: Sendable {
    /// What the next value stands in.
    private enum Container: UInt8 {
        case array
        case members
        /// A member whose value was not written yet.
        case member
    }

    /// What has been built so far, one thing behind the other.
    var bytes: [UInt8] = []
    private var containers: [Container] = []
    /// The lengths of open messages: four times where each stands, plus how many bytes were left for it.
    private var lengths: [Int] = []
    private var lengthSize = 1

    init() {}

    /// Where the next byte goes.
    var position: Int32 { Int32(truncatingIfNeeded: bytes.count) }

    /// A text.
    package mutating func string(_ value: String) {
        let size = value.utf8.count
        begin(size: 1 + varintSize(size) + size)
        openField(0x0A, length: size)
        bytes.append(contentsOf: value.utf8)
        end()
    }

    /// A text whose UTF-8 stands in `range` of `text`; the caller knows that it is well-formed.
    package mutating func string(_ text: RawSpan, _ range: Range<Int>) {
        begin(size: 1 + varintSize(range.count) + range.count)
        openField(0x0A, length: range.count)
        bytes.append(text, range)
        end()
    }

    package mutating func bool(_ value: Bool) {
        begin(size: 2)
        bytes.append(0x10)
        bytes.append(value ? 1 : 0)
        end()
    }

    package mutating func int(_ value: Int64) {
        let bits = UInt64(bitPattern: value)
        begin(size: 1 + (value < 0 ? 10 : varintSize(Int(value))))
        bytes.append(0x18)
        bytes.appendVarint(bits)
        end()
    }

    package mutating func double(_ value: Double) {
        begin(size: 9)
        bytes.append(0x21)
        bytes.appendFixed64(value.bitPattern)
        end()
    }

    package mutating func bytes(_ value: [UInt8]) {
        begin(size: 1 + varintSize(value.count) + value.count)
        openField(0x3A, length: value.count)
        bytes.append(contentsOf: value)
        end()
    }

    /// An `AnyValue` in which nothing is set.
    package mutating func null() {
        begin(size: 0)
        end()
    }

    /// An `AnyValue` message copied as it stands in `range` of `text`.
    package mutating func raw(_ text: RawSpan, _ range: Range<Int>) {
        begin(size: range.count)
        bytes.append(text, range)
        end()
    }

    package mutating func beginArray() { open(0x2A, .array) }
    package mutating func endArray() { close() }
    package mutating func beginKeyValueList() { open(0x32, .members) }
    package mutating func endKeyValueList() { close() }

    /// The key of the member whose value is written next.
    package mutating func key(_ name: StaticString) {
        openMember(keySize: name.utf8CodeUnitCount)
        bytes.append(name)
    }

    /// The key of the member whose value is written next.
    package mutating func key(_ name: String) {
        openMember(keySize: name.utf8.count)
        bytes.append(contentsOf: name.utf8)
    }

    /// The key of the member whose value is written next, from its UTF-8 in `range` of `text`.
    package mutating func key(_ text: RawSpan, _ range: Range<Int>) {
        openMember(keySize: range.count)
        bytes.append(text, range)
    }

    /// Tag and length of a length-delimited field.
    @inline(__always)
    mutating func openField(_ tag: Int, length: Int) {
        bytes.appendVarint(tag)
        bytes.appendVarint(length)
    }

    /// Says how many bytes what is opened next will about take, so that little has to be moved when it ends.
    ///
    /// Counts until the attribute's value ends; a wrong guess costs time only.
    package mutating func expect(bytes count: Int) {
        lengthSize = min(varintSize(count), 3)
    }

    /// Starts the value of an attribute of its own, whatever is open around it.
    mutating func beginValue() {
        lengthSize = 1
        precondition(containers.isEmpty, "an attribute is added while a container is open")
    }

    mutating func endValue() {
        precondition(containers.isEmpty, "a container was not closed")
    }

    /// What `count`, `containers` and `lengths` were, to come back to.
    var checkpoint: (bytes: Int, containers: Int, lengths: Int) { (bytes.count, containers.count, lengths.count) }

    /// Forgets what was written since `checkpoint`.
    mutating func restore(_ checkpoint: (bytes: Int, containers: Int, lengths: Int)) {
        bytes.removeLast(bytes.count - checkpoint.bytes)
        containers.removeLast(containers.count - checkpoint.containers)
        lengths.removeLast(lengths.count - checkpoint.lengths)
    }

    /// Starts an `AnyValue` of known size where it belongs.
    @inline(__always)
    private mutating func begin(size: Int) {
        guard let container = containers.last else { return }
        openField(container == .array ? 0x0A : 0x12, length: size)
    }

    /// Ends an `AnyValue`, and the member around it.
    @inline(__always)
    private mutating func end() {
        guard containers.last == .member else { return }
        containers.removeLast()
        closeLength()
    }

    private mutating func open(_ tag: UInt8, _ container: Container) {
        if let around = containers.last {
            bytes.append(around == .array ? 0x0A : 0x12)
            openLength()
        }
        bytes.append(tag)
        openLength()
        containers.append(container)
    }

    private mutating func close() {
        containers.removeLast()
        closeLength()
        if !containers.isEmpty { closeLength() }
        end()
    }

    private mutating func openLength() {
        lengths.append(bytes.openLength(reserving: lengthSize) << 2 | lengthSize)
    }

    private mutating func closeLength() {
        let length = lengths.removeLast()
        bytes.closeLength(length >> 2, reserved: length & 3)
    }

    private mutating func openMember(keySize: Int) {
        bytes.append(0x0A)
        openLength()
        containers.append(.member)
        openField(0x0A, length: keySize)
    }
}

extension ValueBuilder {
    /// The body of the `KeyValue` in `field` with another key.
    mutating func renamed(_ key: String, _ field: Range<Int>, in text: RawSpan) {
        var around = WireReader(field)
        guard let content = try? around.next(in: text)?.content else { return }
        openField(0x0A, length: key.utf8.count)
        bytes.append(contentsOf: key.utf8)
        var reader = WireReader(content)
        while let part = try? reader.next(in: text) {
            if part.number != 1 { bytes.append(text, part.field) }
        }
    }
}

/// Builds the attributes of an event that is added.
package struct AttributesBuilder: Sendable {
    var values: ValueBuilder

    /// Adds one attribute.
    package mutating func add(_ key: StaticString, _ build: (inout ValueBuilder) -> Void) {
        values.bytes.append(0x1A)
        let length = values.bytes.openLength()
        values.openField(0x0A, length: key.utf8CodeUnitCount)
        values.bytes.append(key)
        values.bytes.append(0x12)
        let valueLength = values.bytes.openLength()
        build(&values)
        values.bytes.closeLength(valueLength)
        values.bytes.closeLength(length)
    }
}

import Basics
import Journal

/// Texts that many entries share, under numbers from 1 on.
///
/// A written text is a slot of eight bytes FF, the number in two bytes, the length with the kind as its highest bit in two, and CRC-32C in
/// four; then the text, filled up to whole slots with zeros.
struct NumberedTexts: Sendable {
    static let mark = UInt64.max
    private static let bytesMax = 1 << 20
    private static let lengthMax = 0x7FFF

    private let kind: UInt8
    private var texts: [[UInt8]?] = [nil]
    private var numbers: [[UInt8]: UInt16] = [:]
    private var free: [UInt16] = []
    private var written: Set<UInt16> = []
    private(set) var bytes = 0

    init(kind: UInt8) { self.kind = kind }

    subscript(_ number: UInt16) -> [UInt8]? { Int(number) < texts.count ? texts[Int(number)] : nil }

    /// The number of a text, a new one where it has none; zero where there is no room.
    mutating func number(of text: [UInt8]) -> UInt16 {
        if let known = numbers[text] { return known }
        let number = free.last ?? UInt16(exactly: texts.count) ?? 0
        guard number > 0, text.count <= Self.lengthMax, bytes + text.count + 64 <= Self.bytesMax else { return 0 }
        if free.popLast() == nil { texts.append(nil) }
        texts[Int(number)] = text
        numbers[text] = number
        bytes += text.count + 64
        return number
    }

    /// Forgets all others; a new file begins.
    mutating func keep(_ used: Set<UInt16>) {
        for (text, number) in numbers where !used.contains(number) {
            numbers[text] = nil
            texts[Int(number)] = nil
            free.append(number)
            bytes -= text.count + 64
        }
        written = []
    }

    mutating func forgetWritten() { written = [] }

    /// The slots of a text that the file does not have yet.
    mutating func unwritten(_ number: UInt16) -> [UInt8] {
        guard let text = self[number], written.insert(number).inserted else { return [] }
        var checksum = CRC32C()
        checksum.update(text.span.bytes)
        var slots: [UInt8] = []
        slots.append(word: Self.mark)
        let length = UInt64(text.count) | UInt64(kind) << 15
        slots.append(word: UInt64(number) | length << 16 | UInt64(checksum.value) << 32)
        slots += text
        return slots + [UInt8](repeating: 0, count: -text.count & (LogNotes.slotBytes - 1))
    }

    /// A text as it was written.
    struct Written {
        let kind: UInt8
        let number: UInt16
        let bytes: [UInt8]
        let end: Int

        /// Nil where it is cut short or damaged.
        init?(_ word: UInt64, in file: [UInt8], from start: Int) {
            number = UInt16(truncatingIfNeeded: word)
            let length = Int(word >> 16 & UInt64(NumberedTexts.lengthMax))
            kind = UInt8(word >> 31 & 1)
            end = start + (length + LogNotes.slotBytes - 1) / LogNotes.slotBytes * LogNotes.slotBytes
            guard end <= file.count else { return nil }
            bytes = Array(file[start..<start + length])
            var checksum = CRC32C()
            checksum.update(bytes.span.bytes)
            guard UInt64(checksum.value) == word >> 32 else { return nil }
        }
    }
}

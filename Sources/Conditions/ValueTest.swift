import Basics
import OTLP

/// What a condition asks of one value.
enum ValueTest: Sendable {
    case isIn([Literal])
    case matches(RegularExpression)
    case glob(Glob)
    case exists(Bool)
    case over(Double)
    case under(Double)

    /// A value written in a condition.
    enum Literal: Sendable, Equatable {
        case text([UInt8])
        case number(Double)
        case bool(Bool)
    }

    /// The texts of which a value has to be one; nil where that is not all it asks for.
    var texts: [String]? {
        guard case .isIn(let literals) = self else { return nil }
        let texts = literals.compactMap { literal -> String? in
            guard case .text(let letters) = literal else { return nil }
            return String(decoding: letters, as: UTF8.self)
        }
        return texts.count == literals.count ? texts : nil
    }

    /// Whether a value passes; an array passes where one of its elements does.
    func holds(_ value: AttributeValue, in bytes: RawSpan, _ steps: inout Int) -> Bool {
        if case .exists(let exists) = self { return exists }
        guard case .array(let elements) = value else { return holdsAlone(value, in: bytes, &steps) }
        var found = false
        bytes.forEachElement(of: elements) { element in
            steps += 1
            found = found || holdsAlone(AttributeValue(element, in: bytes), in: bytes, &steps)
        }
        return found
    }

    private func holdsAlone(_ value: AttributeValue, in bytes: RawSpan, _ steps: inout Int) -> Bool {
        if case .string(let text) = value { steps += 1 + text.count / Self.bytesPerStep }
        return switch self {
        case .exists(let exists): exists
        case .isIn(let literals): literals.contains { $0.equals(value, in: bytes) }
        case .matches(let expression): value.text.map { expression.matches(bytes, $0) } ?? false
        case .glob(let glob): value.text.map { glob.matches(bytes, $0) } ?? false
        case .over(let limit): value.number.map { $0 > limit } ?? false
        case .under(let limit): value.number.map { $0 < limit } ?? false
        }
    }

    /// How much of a text is tested in one step of work.
    private static let bytesPerStep = 16

    /// Whether a number passes.
    func holds(_ number: Double) -> Bool {
        switch self {
        case .isIn(let literals): literals.contains(.number(number))
        case .over(let limit): number > limit
        case .under(let limit): number < limit
        case .exists(let exists): exists
        case .matches, .glob: false
        }
    }

    /// What holds for a value that is not there.
    var holdsForMissing: Bool {
        if case .exists(false) = self { return true }
        return false
    }
}

extension ValueTest.Literal {
    fileprivate func equals(_ value: AttributeValue, in bytes: RawSpan) -> Bool {
        switch (self, value) {
        case (.text(let text), .string(let range)):
            text.count == range.count
                && text.indices.allSatisfy { text[$0] == bytes.byte(at: range.lowerBound + $0) }
        case (.number(let number), .int(let value)): number == Double(value)
        case (.number(let number), .double(let value)): number == value
        case (.bool(let bool), .bool(let value)): bool == value
        default: false
        }
    }
}

extension AttributeValue {
    fileprivate var text: Range<Int>? {
        if case .string(let range) = self { return range }
        return nil
    }

    fileprivate var number: Double? {
        switch self {
        case .int(let value): Double(value)
        case .double(let value): value
        case .empty, .string, .bool, .bytes, .array, .keyValueList: nil
        }
    }
}

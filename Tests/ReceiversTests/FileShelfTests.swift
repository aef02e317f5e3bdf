import Basics
import Glibc
import TestKit
import Testing

@testable import Receivers

@Suite struct `The files of a receiver` {
    private let folder: TemporaryDirectory
    private let shelf: FileShelf
    private let pattern: FilePattern

    init() throws {
        folder = try TemporaryDirectory()
        shelf = try FileShelf(notedAt: "\(folder.path)/positions")
        pattern = FilePattern("\(folder.path)/*.jsonl*")
    }

    private func path(_ name: String) -> String { "\(folder.path)/\(name)" }

    /// Writes into the file of that name, behind what it has, or in its place from its beginning on.
    private func write(_ content: [UInt8], to name: String, behind: Bool = false) throws {
        let descriptor = open(path(name), O_WRONLY | O_CREAT | (behind ? O_APPEND : O_TRUNC), 0o600)
        try #require(descriptor >= 0)
        #expect(unsafe Glibc.write(descriptor, content, content.count) == content.count)
        close(descriptor)
    }

    private func lines(_ numbers: some Sequence<Int>) -> [UInt8] {
        Array(numbers.map { #"{"n":\#($0),"of":"a file that is read"}"# + "\n" }.joined().utf8)
    }

    /// What a look finds anew, read to its end: the numbers in the lines, or what is broken; and notes it.
    private func read(_ shelf: FileShelf? = nil, isWhole: Bool = false, atMost: Int = 32) throws -> [String] {
        let shelf = shelf ?? self.shelf
        var found: [String] = []
        for file in shelf.look(at: pattern).news {
            _ = try shelf.open(file, isWhole: isWhole, recordMax: .kibibytes(64))
            while case let step = try shelf.next(atMost: atMost), !step.findings.isEmpty {
                #expect(step.findings.count <= atMost)
                for finding in step.findings {
                    switch finding {
                    case .record(let record): found.append(String(decoding: record.bytes, as: UTF8.self).number)
                    case .skipped(_, _, let reason): found.append(reason)
                    case .broken(_, let reason): found.append(reason)
                    }
                }
                shelf.note(step.position, isAll: false)
            }
            shelf.note(try shelf.next(atMost: atMost).position, isAll: true)
            shelf.close()
        }
        return found
    }

    private func numbers(_ range: Range<Int>) -> [String] { range.map(String.init) }

    @Test(arguments: [1, 7, 32])
    func `are read once, also by the next process, and on from there`(atMost: Int) throws {
        try write(lines(0..<50), to: "a.jsonl")
        #expect(try read(atMost: atMost) == numbers(0..<50))
        #expect(try read() == [])
        try write(lines(50..<60), to: "a.jsonl", behind: true)
        try shelf.save()
        let next = try FileShelf(notedAt: path("positions"))
        #expect(try read(next) == numbers(50..<60))
        #expect(try read(next) == [])
    }

    @Test func `are read again where they were written anew, with the same number of bytes, too`() throws {
        try write(lines(10..<20), to: "a.jsonl")
        #expect(try read() == numbers(10..<20))
        let before = FileStatus(path("a.jsonl"))?.modified
        // Times of changes may be no finer than the clock's ticks.
        repeat { try write(lines(30..<40), to: "a.jsonl") } while FileStatus(path("a.jsonl"))?.modified == before
        #expect(try read() == numbers(30..<40))
    }

    @Test func `are read from their beginning where they became shorter, and on from there`() throws {
        try write(lines(0..<2000), to: "a.jsonl")
        #expect(try read() == numbers(0..<2000))
        try write(lines(0..<1000), to: "a.jsonl")
        #expect(try read() == numbers(0..<1000))
        try write(lines(1000..<1005), to: "a.jsonl", behind: true)
        #expect(try read() == numbers(1000..<1005))
    }

    @Test(arguments: [20, 2000])
    func `that rotation copied and cut off are read once`(count: Int) throws {
        try write(lines(0..<count), to: "a.jsonl")
        #expect(try read() == numbers(0..<count))
        // Five more were written between the last look and the rotation.
        try write(lines(0..<count + 5), to: "a.1.jsonl")
        try write(lines(5000..<5003), to: "a.jsonl")
        #expect(try read().sorted() == (numbers(count..<count + 5) + numbers(5000..<5003)).sorted())
        #expect(try read() == [])
        // A replay reads a copy for what it is.
        try write(lines(0..<count), to: "b.jsonl")
        #expect(try read(isWhole: true) == numbers(0..<count))
    }

    @Test func `that begin alike and go on otherwise are different`() throws {
        try write(lines([1, 2]), to: "a.jsonl")
        #expect(try read() == ["1", "2"])
        try write(lines([1, 3, 4]), to: "b.jsonl")
        #expect(try read() == ["1", "3", "4"])
    }

    @Test func `that go before they are read are told`() throws {
        try write(lines(0..<3), to: "a.jsonl")
        try write(lines(0..<3), to: "b.jsonl")
        #expect(shelf.look(at: pattern).lost.isEmpty)
        unlink(path("b.jsonl"))
        let look = shelf.look(at: pattern)
        #expect(look.lost.map(\.path) == [path("b.jsonl")] && look.news.map(\.path) == [path("a.jsonl")])
        #expect(try read() == numbers(0..<3))
        unlink(path("a.jsonl"))
        #expect(shelf.look(at: pattern).lost.isEmpty, "all of it was read")
    }

    @Test func `that are damaged give what stands before the damage, and say so once while they grow`() throws {
        var content = compressed(lines(0..<20000))
        for index in content.count - 200..<content.count - 100 { content[index] ^= 0xFF }
        try write(content, to: "a.jsonl.gz")
        let found = try read()
        #expect(found.prefix(15000) == numbers(0..<15000)[...])
        #expect(found.last.flatMap(Int.init) == nil, "the damage is told")
        try write([0, 1, 2], to: "a.jsonl.gz", behind: true)
        #expect(try read() == [])
    }

    @Test func `cannot be told from others where what was noted is damaged`() throws {
        try write(Array("{".utf8), to: "positions")
        #expect(throws: FileReadError.self) { try FileShelf(notedAt: path("positions")) }
    }

    @Test(arguments: [
        ("*.jsonl", "a.jsonl", true), ("a?.jsonl", "a.jsonl", false), ("[ab].jsonl", "b.jsonl", true),
        ("*", "a/b", false),
    ])
    func `have names that a pattern matches`(text: String, name: String, isMatched: Bool) {
        #expect(FilePattern(text).matches(name) == isMatched)
    }
}

extension String {
    /// The value of `n` in a line.
    fileprivate var number: String { String(drop { $0 != ":" }.dropFirst().prefix { $0 != "," }) }
}

import Basics
import Testing

struct TableTests {
    @Test(arguments: [0, 1, 63, 64, 65, 1000])
    func `a table has what was on the stack, however often that grew`(count: Int) {
        var stack = Stack<Int>(reserving: 1)
        for number in 0..<count { stack.append(number) }
        let table = Table(stack)
        let copy = table
        #expect(Array(table) == Array(0..<count) && table.count == count)
        #expect(Array(copy) == Array(table))
    }

    @Test func `a table of nothing is empty`() {
        #expect(Table<Int>().isEmpty && Table(Stack<Int>()).isEmpty)
    }
}

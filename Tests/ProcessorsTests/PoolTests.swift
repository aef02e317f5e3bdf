import Testing

@testable import Processors

struct PoolTests {
    @Test func `what was used is used again`() {
        let pool = Pool<[Int]>()
        pool.use(make: { [] }) { $0.append(1) }
        pool.use(make: { [] }) { $0.append(2) }
        #expect(pool.use(make: { [] }) { $0 } == [1, 2])
    }

    @Test func `what is in use is lent to nobody else`() {
        let pool = Pool<[Int]>()
        let both = pool.use(make: { [1] }) { first in
            pool.use(make: { [2] }) { second in
                second.append(3)
                return first + second
            }
        }
        #expect(both == [1, 2, 3])
        #expect(pool.use(make: { [] }) { $0 } != [])
    }
}

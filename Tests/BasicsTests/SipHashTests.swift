import Basics
import Testing

struct SipHashTests {
    /// The reference vectors of SipHash-2-4: key 00 to 0f, message 00, 01, … of each length.
    @Test(arguments: [
        (0, 0x726F_DB47_DD0E_0E31 as UInt64), (1, 0x74F8_39C5_93DC_67FD), (7, 0xAB02_00F5_8B01_D137),
        (8, 0x93F5_F579_9A93_2462), (15, 0xA129_CA61_49BE_45E5),
    ])
    func `it is the one of the paper`(length: Int, expected: UInt64) {
        let hash = SipHash(key: (0x0706_0504_0302_0100, 0x0F0E_0D0C_0B0A_0908))
        #expect(hash.hash([], (0..<UInt8(length)).map { $0 }) == expected)
        guard length >= 8 else { return }
        #expect(hash.hash([0x0706_0504_0302_0100], (8..<UInt8(length)).map { $0 }) == expected)
    }
}

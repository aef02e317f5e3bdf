import Basics
import OTLP

extension ContentTape {
    /// The node at a path of member names and positions in lists, each ended by a dot, such as `replies.0.meta`.
    ///
    /// A member of the whole name wins.
    func node(at path: [UInt8], of node: Int, _ bytes: RawSpan) -> Int? {
        if let member = member(named: path[...], of: node, bytes) { return member }
        guard path.contains(UInt8(ascii: ".")) else { return nil }
        var place = node
        for segment in path.split(separator: UInt8(ascii: ".")) {
            let next =
                nodes[place].kind == .array
                ? element(at: segment, of: place) : member(named: segment, of: place, bytes)
            guard let next else { return nil }
            place = next
        }
        return place
    }

    private func element(at digits: ArraySlice<UInt8>, of node: Int) -> Int? {
        guard let index = Int(String(decoding: digits, as: UTF8.self)) else { return nil }
        let elements = elements(of: node)
        return elements.indices.contains(index) ? elements[index] : nil
    }

    /// The last member of an object that has that name.
    private func member(named name: ArraySlice<UInt8>, of node: Int, _ bytes: RawSpan) -> Int? {
        values(of: node).last { bytes.equals(name, nodes[$0 - 1].range) }
    }
}

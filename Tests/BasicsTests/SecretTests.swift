import Basics
import Testing

@Suite struct SecretTests {
    @Test func `a secret never shows itself`() {
        struct Holder { let password = Secret("hunter2") { "hunter3" } }
        var dumped = ""
        dump(Holder(), to: &dumped)
        let texts = ["\(Holder())", String(reflecting: Holder()), dumped, "\(Secret("hunter2"))"]
        #expect(texts.allSatisfy { $0.contains("***") && !$0.contains("hunter") })
    }

    @Test func `a secret is what its file says now, or what it said last`() {
        #expect(Secret("a").read().text == "a")
        #expect(Secret("a") { "b" }.read().text == "b")
        #expect(Secret("a") { nil }.read().text == "a")
        #expect(Secret("a") { "b" }.read().read().text == "b")
    }
}

import Basics
import Testing

@Suite struct ExactTextTests {
    @Test func `two Unicode forms of a text are two, and one form is one`() {
        let forms = ["caf\u{E9}", "cafe\u{301}", "caf\u{E9}"]
        #expect(forms[0] == forms[1])
        #expect(Set(forms.map(ExactText.init)).count == 2)
        #expect(Set(forms.map { HTTPHeader("x", $0) }).count == 2)
        #expect(ExactText("") == ExactText("") && ExactText("a") != ExactText("ab"))
    }
}

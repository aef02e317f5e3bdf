import Settings
import Testing

@Suite struct NearestNameTests {
    @Test(arguments: [
        ("recievers", "receivers"), ("maxbody", "max_body"), ("max-body", "max_body"), ("Listen", "listen"),
        ("lsiten", "listen"), ("listn", "listen"), ("idletimeout", "idle_timeout"),
    ])
    func `a slip of the fingers finds the name that was meant`(typed: String, meant: String) {
        let known = ["receivers", "max_body", "listen", "idle_timeout", "header_timeout"]
        #expect(nearest(to: typed, among: known) == meant)
    }

    @Test(arguments: ["", "x", "port", "certificate"])
    func `what is far from every name finds none`(typed: String) {
        #expect(nearest(to: typed, among: ["receivers", "max_body", "listen"]) == nil)
    }
}

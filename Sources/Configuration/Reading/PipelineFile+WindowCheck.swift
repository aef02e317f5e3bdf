import Basics
import Journal
import Pipeline
import Processors
import Settings

// What windows may hold against what the journal does.

extension PipelineFile {
    /// Warns of windows that the journal has no room or no time for.
    func checkWindowLimits(_ root: JSONNode, _ context: inout DecodeContext) {
        let used = processors.filter { processor in
            pipelines.contains { window(of: $0.value)?.name == processor.name }
        }
        for processor in used {
            guard let limits = processor.settings.makeWindow(named: processor.name, mapping: [], routing: [])?.window,
                let node = root["processors"]?[processor.name]
            else { continue }
            let half = ByteCount(bytes: journal.maxBytes.bytes / 2)
            context.within("processors", processor.name) { context in
                if limits.bytesMax > half {
                    let budget = "journal.max_bytes, \(journal.maxBytes)"
                    let what = "max_bytes, \(limits.bytesMax), is more than half of \(budget)"
                    let why = "a trace lies there twice while it moves; allowed: up to \(half)"
                    context.report("\(what): \(why)", at: (node["max_bytes"] ?? node).offset, as: .warning)
                }
                let wait = max(limits.afterRoot, limits.wait, limits.openWait)
                if wait > journal.maxAge {
                    let what = "it waits \(wait.text), and after journal.max_age, \(journal.maxAge.text), spans expire"
                    context.report(what, at: (node["open_wait"] ?? node).offset, as: .warning)
                }
            }
        }
    }
}

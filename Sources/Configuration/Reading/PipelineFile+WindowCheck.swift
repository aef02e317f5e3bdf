import Basics
import Journal
import Pipeline
import Processors
import Settings

// What windows may hold against what the journal does.

extension PipelineFile {
    /// Bytes of a trace that the journal holds twice, and that memory lets be put together.
    var assembledBytesMax: ByteCount {
        ByteCount(bytes: min(journal.maxBytes.bytes / 2, receiversMemory.bytes / WindowStage.assemblingFactor))
    }

    /// Warns of windows that the journal has no room or no time for.
    func checkWindowLimits(_ root: JSONNode, _ context: inout DecodeContext) {
        let used = processors.filter { processor in
            pipelines.contains { window(of: $0.value)?.name == processor.name }
        }
        for processor in used {
            guard let limits = processor.settings.makeWindow(named: processor.name, mapping: [], routing: [])?.window,
                let node = root["processors"]?[processor.name]
            else { continue }
            let most = assembledBytesMax
            context.within("processors", processor.name) { context in
                // The default is no wish.
                if limits.bytesMax > most, limits.bytesMax != WindowSettings().bytesMax, let written = node["max_bytes"]
                {
                    let what = "a trace goes on at \(most) already, not at \(limits.bytesMax)"
                    let half =
                        "half of journal.max_bytes, \(journal.maxBytes), because it lies there twice while it moves"
                    let share = "a seventh of what memory_limit leaves, \(receiversMemory), to put it together"
                    context.report("\(what); allowed: up to \(half), and \(share)", at: written.offset, as: .warning)
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

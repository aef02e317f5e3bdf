import OTLP

/// A text that a root shows, and the span that says it, by position in the list.
package struct FoundText: Sendable, Equatable {
    package let text: [UInt8]
    package let span: Int
}

/// What a trace without content on its root shows.
package struct TraceSummary: Sendable, Equatable {
    package var question: FoundText?
    package var answer: FoundText?
    /// The conversation, by position in the list, whose failure left the trace without an answer.
    package var failure: Int?
}

/// Finds the question and the answer of a trace in the spans below its root.
///
/// The question is that of the first outermost conversation by start, the answer that of the last by end. Contents are asked for one by
/// one, because reading all of them would cost as much as mapping the trace once more:
///
///     while let span = search.next() { search.take(conversation(of: span)) }
///     search.summary
package struct TraceSearch: Sendable {
    private enum Side { case question, answer, done }

    private typealias Found = (span: Int, conversation: Conversation)

    private let trace: TraceOutline
    private var queue = SpanQueue()
    private var side = Side.question
    private var asked = 0
    private var first: Found?
    private var last: Found?
    /// When the last tool, model or agent started of those that were met on the way to the answer.
    private var latestStart: UInt64 = 0
    private var looked = 0
    /// Steps that failed, and what was met below them: what was said there was no answer.
    private var failing: Set<Int> = []
    /// The model call or conversation that ended last, as far as is known; an agent's end is that of what it did.
    private var ending: Int?

    /// Starts below the root of a trace.
    package init(_ trace: TraceOutline) {
        self.trace = trace
        push(below: trace.root)
    }

    /// Steps of work so far: spans looked at and compared.
    package var steps: Int { looked + queue.steps }

    /// The position of the span whose conversation is wanted next; nil when all is known.
    package mutating func next() -> Int? {
        while side != .done {
            guard let span = queue.pop() else {
                advance()
                continue
            }
            looked += 1
            let isRead = visit(span)
            if isRead, side == .answer, let first, first.span == span {
                asked = span
                take(first.conversation)
            } else if isRead {
                asked = span
                return span
            }
        }
        return nil
    }

    /// Takes what the span says that `next` named; nil where it says nothing that can be read.
    package mutating func take(_ conversation: Conversation?) {
        if conversation?.isHelper ?? false { return }
        let span = trace.spans[asked]
        switch side {
        case .question:
            guard let conversation, conversation.question != nil else { return push(below: asked) }
            first = (asked, conversation)
            advance()
        case .answer:
            // Nothing follows a call that only extracts something; of a trace that failed it was a try, and the last one.
            let isExtraction = conversation?.call != nil && latestStart < span.end
            if isExtraction, trace.spans[trace.root].status == .failed { return advance() }
            guard let conversation, conversation.answer != nil || isExtraction else {
                latestStart = max(latestStart, span.start)
                return push(below: asked)
            }
            last = (asked, conversation)
            advance()
        case .done: return
        }
    }

    /// What was found.
    package var summary: TraceSummary {
        var summary = conversation
        if summary.answer == nil { summary.failure = ending.flatMap { trace.spans[$0].status == .failed ? $0 : nil } }
        return summary
    }

    private var conversation: TraceSummary {
        guard let first, let last, first.span != last.span else {
            return TraceSummary(question: question(first), answer: answer(last))
        }
        if let question = last.conversation.question(continuing: first.conversation) {
            let isOwn = question == last.conversation.question
            return TraceSummary(
                question: FoundText(text: question, span: isOwn ? last.span : first.span),
                answer: answer(last)
            )
        }
        // Of conversations beside each other the question of one and the answer of another would mislead.
        let isNested =
            trace.tree.stands(last.span, above: first.span) || trace.tree.stands(first.span, above: last.span)
        if isNested { return TraceSummary(question: question(first), answer: answer(last)) }
        if last.conversation.question != nil { return TraceSummary(question: question(last), answer: answer(last)) }
        if first.conversation.answer != nil { return TraceSummary(question: question(first), answer: answer(first)) }
        return TraceSummary(question: question(first), answer: answer(last))
    }

    private func question(_ found: Found?) -> FoundText? {
        found.flatMap { found in found.conversation.question.map { FoundText(text: $0, span: found.span) } }
    }

    private func answer(_ found: Found?) -> FoundText? {
        found.flatMap { found in
            (found.conversation.answer ?? found.conversation.call).map { FoundText(text: $0, span: found.span) }
        }
    }

    /// Goes on with the other side, from the root.
    private mutating func advance() {
        queue.clear()
        side = side == .question ? .answer : .done
        if side == .answer { push(below: trace.root) }
    }

    private mutating func push(below span: Int) {
        for child in trace.tree.children(of: span) {
            let child = Int(child)
            if !failing.isEmpty, failing.contains(span) { failing.insert(child) }
            switch side {
            case .question: queue.push(child, rank: trace.spans[child].start, order: child)
            case .answer, .done: queue.push(child, rank: .max - trace.spans[child].end, order: -child)
            }
        }
    }

    private func isEnding(_ span: TraceSpan) -> Bool {
        let isConversing = span.kind != .other || !span.says.isDisjoint(with: [.question, .answer])
        return isConversing && (span.kind == .model || span.status != .unset)
    }

    /// Whether the conversation of a span has to be read; else it is passed or what is below it waits.
    private mutating func visit(_ position: Int) -> Bool {
        let span = trace.spans[position]
        if span.kind == .tool { latestStart = max(latestStart, span.start) }
        if span.kind == .tool || span.kind == .aside { return false }
        if side == .answer, ending == nil, isEnding(span) { ending = position }
        if side == .answer, span.status == .failed, span.kind == .other { failing.insert(position) }
        let isUnanswered = side == .answer && failing.contains(position)
        if !isUnanswered, span.says.contains(side == .question ? .question : .answer) { return true }
        if span.kind != .other { latestStart = max(latestStart, span.start) }
        push(below: position)
        return false
    }
}

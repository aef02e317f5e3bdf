import Basics
import Conditions
import OTLP

// MLflow takes the question, the answer and the name of a trace from its root alone, which is mostly a web server's span without any.

extension SpanMapper {
    /// Gives roots without content what their traces show, and names the traces whose roots say nothing.
    mutating func finishSummaries(_ batch: inout SpanBatch, _ bytes: RawSpan) {
        guard traces.hasWanting else { return }
        let says = traces.sides(of: spans.count)
        for members in wantingTraces(batch) {
            finishSummary(of: members.spans, trace: members.trace, says, &batch, bytes)
        }
        for root in traces.silent.sorted() where hasRoom(for: 0, on: root, &batch) {
            silence(root, .engine("printed object"), 0..<0, &batch)
        }
    }

    /// The spans of each trace whose root lacks something, by position in the batch.
    private mutating func wantingTraces(_ batch: borrowing SpanBatch) -> [(trace: Int, spans: ArraySlice<Int32>)] {
        content.tape.account.steps &+= spans.count &+ traces.roots.count
        var slots = [Int32](filledWith: -1, count: traces.traces.count)
        var wanting: [Int] = []
        for (root, trace) in traces.roots where traces.traces[trace].isWanting && !isLeft(root) {
            slots[trace] = Int32(truncatingIfNeeded: wanting.count)
            wanting.append(trace)
        }
        var slotsBySpan = [Int32](filledWith: -1, count: spans.count)
        var ends = [Int](repeating: 0, count: wanting.count + 1)
        for index in spans.indices where batch.removal(of: index) == nil {
            let trace = traces.number(of: spans[index].traceID)
            guard trace < slots.count, slots[trace] >= 0 else { continue }
            slotsBySpan[index] = slots[trace]
            ends[Int(slots[trace]) + 1] += 1
        }
        for slot in wanting.indices { ends[slot + 1] += ends[slot] }
        let starts = ends
        var members = [Int32](repeating: 0, count: ends[wanting.count])
        for index in spans.indices where slotsBySpan[index] >= 0 {
            let slot = Int(slotsBySpan[index])
            members[ends[slot]] = Int32(truncatingIfNeeded: index)
            ends[slot] += 1
        }
        return wanting.indices.map { (wanting[$0], members[starts[$0]..<starts[$0 + 1]]) }
    }

    private mutating func finishSummary(
        of members: ArraySlice<Int32>,
        trace number: Int,
        _ says: [UInt8],
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) {
        let trace = traces.traces[number]
        guard let root = trace.root else { return }
        // What a tool, or a call beside a conversation, is for stands on it alone.
        let isConversing = ![.tool, .aside].contains(kind(of: root))
        guard isConversing || trace.plainRoot != nil, let outline = outline(of: members, root, says, bytes) else {
            return namePlain(trace.plainRoot, after: nil, &batch, bytes)
        }
        content.tape.account.steps &+= members.count
        if trace.plainRoot != nil {
            let span = trace.plainRoot == root ? outline.namingSpan(steps: &content.tape.account.steps) : nil
            namePlain(trace.plainRoot, after: span.map { Int(members[members.startIndex + $0]) }, &batch, bytes)
        }
        guard isConversing, !trace.rootSays.isSuperset(of: [.question, .answer]) else { return }
        var search = TraceSearch(outline)
        while let position = search.next() {
            let span = Int(members[members.startIndex + position])
            search.take(conversation(of: span, outline.spans[position].kind, &batch, bytes))
        }
        content.tape.account.steps &+= search.steps
        let summary = search.summary
        if let failure = summary.failure, !trace.rootSays.contains(.answer) {
            let span = Int(members[members.startIndex + failure])
            if spans[root].statusCode == 0 || tellsOfFailure(root, of: span, bytes) {
                fail(root, after: span, &batch, bytes)
            }
        }
        show(summary, on: root, beside: trace.rootSays, outline, &batch, bytes)
    }

    /// The spans of a trace; nil where none but the root converses.
    private mutating func outline(
        of members: ArraySlice<Int32>,
        _ root: Int,
        _ says: [UInt8],
        _ bytes: RawSpan
    ) -> TraceOutline? {
        guard members.count > 1 else { return nil }
        var list: [TraceSpan] = []
        list.reserveCapacity(members.count)
        var rootPosition = 0
        var isConversing = false
        for member in members {
            let index = Int(member)
            let span = spans[index]
            let kind = kind(of: index)
            let sides = Sides(rawValue: says[index])
            if index == root {
                rootPosition = list.count
            } else if kind != .tool, kind != .aside {
                isConversing = isConversing || !sides.isEmpty || kind != .other
            }
            list.append(
                TraceSpan(
                    id: span.spanID,
                    parent: span.parentID,
                    start: span.start,
                    end: span.end,
                    kind: kind,
                    says: sides,
                    status: status(of: index, kind, bytes)
                )
            )
        }
        return isConversing ? TraceOutline(list, root: rootPosition) : nil
    }

    /// Gives a root without a status, and without an answer, the failure of the conversation that ended its trace.
    private mutating func fail(_ root: Int, after span: Int, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        guard !traces.failed.contains(root) else { return }
        let noted = traces.failure(of: span)?.message
        fail(root, noted ?? failureMessage(of: span, bytes), .engine("trace"), &batch, bytes)
        guard traces.failed.contains(root) else { return }
        var origin: [UInt8] = []
        origin.append(spans[span].spanID)
        batch.addAttribute("millrace.status_from", to: .span(root)) { $0.string(origin.span.bytes, 0..<origin.count) }
    }

    /// Whether a root that says it went well has the exception with which a span below failed: some recorders always say so.
    private mutating func tellsOfFailure(_ root: Int, of span: Int, _ bytes: RawSpan) -> Bool {
        guard spans[root].statusCode == 1, let own = lastException(of: root, bytes), !own.message.isEmpty else {
            return false
        }
        return bytes.isSame(own.message, as: bytes, failureMessage(of: span, bytes))
    }

    /// How a span ended; that of what only finds a title says nothing, nor does one that an exception only led elsewhere.
    private mutating func status(of index: Int, _ kind: TraceSpan.Kind, _ bytes: RawSpan) -> TraceSpan.Status {
        switch spans[index].statusCode {
        case 1: return .ok
        case 2: return isHelper(index, kind, bytes) || isTurn(index, bytes) ? .unset : .failed
        default:
            let isFailed = !traces.failed.isEmpty && traces.failed.contains(index)
            return isFailed && !isHelper(index, kind, bytes) ? .failed : .unset
        }
    }

    /// Whether the exception of a failed span is one by which a program goes elsewhere: to a person, or to another graph.
    private mutating func isTurn(_ index: Int, _ bytes: RawSpan) -> Bool {
        guard let error = lastException(of: index, bytes) else { return false }
        return Self.turns.find(bytes, error.type.suffix(while: { bytes.byte(at: $0) != UInt8(ascii: ".") })) != nil
    }

    /// Exceptions that are no failure.
    private static let turns = KeyTable(["GraphInterrupt", "NodeInterrupt", "ParentCommand", "GraphBubbleUp"])

    mutating func kind(of index: Int) -> TraceSpan.Kind {
        guard let type = outcome.spans.type(of: index) else { return .other }
        return type < kinds.count ? kinds[type] : TraceSpan.Kind(type: outcome.spans[index].type)
    }

    /// Names a root that says nothing itself, after an agent or a workflow where one is named, else after its span.
    private mutating func namePlain(_ root: Int?, after span: Int?, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        guard let root else { return }
        guard let span else {
            if !spans[root].name.isEmpty { setTraceName(spans[root].name, root, .engine("root"), &batch, bytes) }
            return
        }
        nameAfter(span, root, &batch, bytes)
    }

    /// Writes what a root lacks, as one message a side.
    private mutating func show(
        _ summary: TraceSummary,
        on root: Int,
        beside own: Sides,
        _ outline: TraceOutline,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) {
        let question = own.contains(.question) ? nil : summary.question
        let answer = own.contains(.answer) ? nil : summary.answer
        let size = (question?.text.count ?? 0) + (answer?.text.count ?? 0)
        guard question != nil || answer != nil, hasRoom(for: size + Self.messagesSize, on: root, &batch) else { return }
        if let question { addQuestion(question, to: root, &batch) }
        if let answer {
            addAnswer(answer, to: root, &batch)
            traces.noteAnswered(root)
        }
        if own.isDisjoint(with: [.question, .answer]),
            batch.attribute("mlflow.message.format", in: spans[root].attributes) == nil
        {
            batch.addAttribute("mlflow.message.format", to: .span(root)) { $0.word("openai") }
            didSet("mlflow.message.format", root, by: .engine("trace"), of: 0..<0)
        }
        var origins: [UInt8] = []
        if let question { origins.append(outline.spans[question.span].id) }
        if let answer, answer.span != question?.span {
            if question != nil { origins.append(UInt8(ascii: ",")) }
            origins.append(outline.spans[answer.span].id)
        }
        batch.addAttribute("millrace.preview_from", to: .span(root)) {
            $0.string(origins.span.bytes, 0..<origins.count)
        }
        didSet("millrace.preview_from", root, by: .engine("trace"), of: 0..<0)
    }

    private mutating func addQuestion(_ question: FoundText, to root: Int, _ batch: inout SpanBatch) {
        batch.addAttribute("mlflow.spanInputs", to: .span(root), expecting: question.text.count) { builder in
            let inputs = builder.beginKeyValueList()
            builder.key("messages")
            let messages = builder.beginArray()
            let message = builder.beginKeyValueList()
            builder.member("role", word: "user")
            builder.member("content", question.text.span.bytes, 0..<question.text.count)
            builder.end(message)
            builder.end(messages)
            builder.end(inputs)
        }
        didSet("mlflow.spanInputs", root, by: .engine("trace"), of: 0..<0)
    }

    private mutating func addAnswer(_ answer: FoundText, to root: Int, _ batch: inout SpanBatch) {
        batch.addAttribute("mlflow.spanOutputs", to: .span(root), expecting: answer.text.count) { builder in
            let outputs = builder.beginKeyValueList()
            builder.key("choices")
            let choices = builder.beginArray()
            let choice = builder.beginKeyValueList()
            builder.member("index", int: 0)
            builder.key("message")
            let message = builder.beginKeyValueList()
            builder.member("role", word: "assistant")
            builder.member("content", answer.text.span.bytes, 0..<answer.text.count)
            builder.end(message)
            builder.end(choice)
            builder.end(choices)
            builder.end(outputs)
        }
        didSet("mlflow.spanOutputs", root, by: .engine("trace"), of: 0..<0)
    }

    /// Bytes around the texts of both sides, at most.
    private static var messagesSize: Int { 512 }
}

extension [UInt8] {
    /// Appends the 16 lower-case hexadecimal digits of an id.
    fileprivate mutating func append(_ id: SpanID) {
        for shift in stride(from: UInt64(60), through: 0, by: -4) {
            let digit = UInt8(truncatingIfNeeded: id.value >> shift & 15)
            append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}

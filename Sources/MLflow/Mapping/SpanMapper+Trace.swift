import Basics
import Conditions
import OTLP

extension SpanMapper {
    /// Notes the session and the user that a span names, for its trace's root.
    mutating func noteContext(_ index: Int, _ span: SpanEntry, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        let isRoot = span.parentID == nil
        if !scan.plan.tags.isEmpty || !scan.plan.prompts.isEmpty { noteExtras(index, span, &batch) }
        let session = candidate(\.sessions, .session, index, isRoot: isRoot, &batch, bytes)
        let user = candidate(\.users, .user, index, isRoot: isRoot, &batch, bytes)
        guard session != nil || user != nil else { return }
        let ownSession = sessionAttribute(.sessionID, bytes)
        let conversation = sessionAttribute(.conversationID, bytes)
        traces.update(span.traceID) { trace in
            if let session {
                if isRoot, session.isNamed { trace.sessionOfRoot = trace.sessionOfRoot ?? session }
                trace.session.note(session, at: span.start)
            }
            if let user {
                if isRoot, user.isNamed { trace.userOfRoot = trace.userOfRoot ?? user }
                trace.user.note(user, at: span.start)
            }
            if trace.visible == nil, let attribute = ownSession ?? conversation {
                trace.visible = (index, attribute, ownSession == nil)
            }
        }
    }

    /// The attribute of that key, where it names a session.
    private mutating func sessionAttribute(_ key: KnownKey, _ bytes: RawSpan) -> Int? {
        guard let attribute = scan[key], let text = attributes.text(of: attribute, bytes),
            !IdentityPlaceholders.isNoSession(text, bytes)
        else { return nil }
        return attribute
    }

    /// Names a trace on its root: as the app says, after the agent or workflow, else after the root.
    mutating func decideName(_ index: Int, _ span: SpanEntry, _ batch: inout SpanBatch, _ bytes: RawSpan) {
        if let own = scan[.traceName], attributes.ownText(of: own, bytes) != nil { return }
        for name in scan.plan.names where holds(.name, name.rank, index, &batch) {
            guard let range = attributes.text(of: scan.first + name.attribute, bytes) else { continue }
            return setName(range, index, .rule(.name, name.rank), &batch, bytes)
        }
        if outcome.spans.type(of: index) == nil, isPlain(index, span, bytes) {
            traces.notePlainRoot(index, of: span.traceID)
        } else if !span.name.isEmpty {
            setName(span.name, index, .engine("root"), &batch, bytes)
        }
    }

    /// Whether a span without a type says nothing by its name: a bare method, or a call of RPC or messaging.
    private mutating func isPlain(_ index: Int, _ span: SpanEntry, _ bytes: RawSpan) -> Bool {
        if bytes.isPlainName(span.name) { return true }
        guard scan.plan.isPlainCall else { return false }
        return !span.attributes.contains { attribute in
            let key = attributes[attribute].key
            return bytes.begins(key, with: "http.") || bytes.begins(key, with: "url.")
        }
    }

    mutating func setName(
        _ range: Range<Int>,
        _ index: Int,
        _ rule: Decider,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) {
        let name = bytes.prefix(of: range, characters: TextLimit.traceName)
        batch.addAttribute("mlflow.traceTag.mlflow.traceName", to: .span(index), bytes, name)
        didSet("mlflow.traceTag.mlflow.traceName", index, by: rule)
    }

    /// What only all spans of a request together can decide.
    mutating func finishTraces(_ batch: inout SpanBatch, _ bytes: RawSpan) {
        for (root, index) in traces.roots {
            let trace = traces.traces[index]
            if let session = trace.sessionOfRoot ?? trace.session.candidate {
                setSession(session, trace, root, &batch, bytes)
            }
            if let user = trace.userOfRoot ?? trace.user.candidate {
                setContext(user, "user.id", TextLimit.user, root, decider(.user, user), &batch, bytes)
            }
        }
        finishNotes(&batch, bytes)
        finishFailures(&batch, bytes)
        finishSummaries(&batch, bytes)
        if !traces.untimely.isEmpty { mendTimes(&batch) }
        countCallsOnce(&batch, bytes)
    }

    private func decider(_ group: RuleGroup, _ candidate: TraceFacts.Candidate) -> Decider {
        candidate.isNamed ? .rule(group, candidate.rank) : .engine("last words of the key")
    }

    /// MLflow takes the session of the first span in the request that has one, so that one must not differ.
    private mutating func setSession(
        _ session: TraceFacts.Candidate,
        _ trace: TraceFacts.Trace,
        _ root: Int,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) {
        let rule = decider(.session, session)
        setContext(session, "session.id", TextLimit.session, root, rule, &batch, bytes)
        guard let visible = trace.visible, visible.span < root, visible.isConversation,
            visible.attribute != session.attribute,
            !attributes.areSame(visible.attribute, session.attribute, bytes)
        else { return }
        setContext(session, "session.id", TextLimit.session, visible.span, rule, &batch, bytes)
    }

    /// Writes a session or user to a span, unless its own attribute of that key is where it came from.
    private mutating func setContext(
        _ candidate: TraceFacts.Candidate,
        _ key: StaticString,
        _ limit: Int,
        _ span: Int,
        _ rule: Decider,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) {
        let entry = attributes[candidate.attribute]
        if bytes.equals(key, entry.key), entry.place == .span(span) { return }
        // A Unicode scalar takes four bytes at most.
        guard hasRoom(for: key.utf8CodeUnitCount + min(entry.value.count, 4 * limit), on: span, &batch) else { return }
        let value = candidate.text.map { .string($0) } ?? AttributeValue(entry.value, in: bytes)
        batch.addAttribute(key, to: .span(span)) { builder in
            switch value {
            case .string(let range): builder.string(bytes, bytes.prefix(of: range, characters: limit))
            case .int(let number): builder.string("\(number)")
            default: builder.null()
            }
        }
        didSet(named: "\(key)", span, by: rule, of: candidate.attribute)
    }

    /// Whether the budget has room for an attribute of that many bytes, key and value, on one span, which else stays without
    /// it and is counted.
    mutating func hasRoom(for size: Int, on span: Int, _ batch: inout SpanBatch) -> Bool {
        content.tape.account.steps &+= 1
        guard !isLeft(span) else { return false }
        let isAllowed = content.tape.account.allows(size + Self.frameSize, after: batch.addedBytes)
        if !isAllowed { leave(span) }
        return isAllowed
    }

    /// Bytes of an attribute's tags, lengths and short key, at most.
    private static var frameSize: Int { 64 }
}

extension SpanMapper {
    /// The first of the attributes that names a session or user; by index, because a list would be counted as held.
    @inline(__always)
    private mutating func candidate(
        _ texts: (SpanPlan) -> [SpanPlan.Text],
        _ group: RuleGroup,
        _ span: Int,
        isRoot: Bool,
        _ batch: inout SpanBatch,
        _ bytes: RawSpan
    ) -> TraceFacts.Candidate? {
        for index in 0..<texts(scan.plan).count {
            let text = texts(scan.plan)[index]
            guard isRoot || !text.rootOnly && (!text.typedOnly || outcome.spans.type(of: span) != nil) else { continue }
            let isNamed = text.rank != SpanPlan.Text.lastWordsRank
            guard !isNamed || holds(group, text.rank, span, &batch) else { continue }
            let attribute = scan.first &+ text.attribute
            let value = attributes[attribute].value
            if text.path != nil || text.isObject {
                let inner = text.path.map { self.text(at: $0, in: value, bytes) } ?? identity(group, in: value, bytes)
                guard let inner, Self.isName(inner, group, bytes) else { continue }
                return .init(attribute: attribute, rank: text.rank, text: inner)
            }
            if let range = attributes.text(of: attribute, bytes) {
                guard Self.isName(range, group, bytes) else { continue }
                // Below the root a mere number is as well that of an object inside a program.
                guard isNamed || isRoot || !range.allSatisfy({ bytes.byte(at: $0).isDigit }) else { continue }
                return .init(attribute: attribute, rank: text.rank)
            }
            if isNamed, case .int = AttributeValue(value, in: bytes) {
                return .init(attribute: attribute, rank: text.rank)
            }
        }
        return nil
    }

    /// Whether a text names a session or a user, and is not what stands for none.
    private static func isName(_ text: Range<Int>, _ group: RuleGroup, _ bytes: RawSpan) -> Bool {
        group == .session
            ? !IdentityPlaceholders.isNoSession(text, bytes) : !IdentityPlaceholders.isNobody(text, bytes)
    }

    /// The text of the first member whose name says that it is a session or a user, in an object about a session.
    @inline(never)
    private mutating func identity(_ group: RuleGroup, in value: Range<Int>, _ bytes: RawSpan) -> Range<Int>? {
        guard let root = content.tree(of: value, bytes) else { return nil }
        let wanted: IdentityWords = group == .session ? .session : .user
        let member = content.tape.values(of: root).prefix(Self.membersMax).first { member in
            let (name, value) = (content.tape.nodes[member - 1], content.tape.nodes[member])
            return name.kind == .text && value.kind == .text && !value.range.isEmpty
                && IdentityWords(name.range, bytes) == wanted
        }
        return member.map { content.tape.nodes[$0].range }
    }

    /// Members of an object about a session that are looked at, at most.
    private static var membersMax: Int { 32 }

    /// The text at a path in an attribute's object, or its JSON text.
    @inline(never)
    mutating func text(at path: Int, in value: Range<Int>, _ bytes: RawSpan) -> Range<Int>? {
        guard let root = content.tree(of: value, bytes),
            let node = content.tape.node(at: rules.words[path], of: root, bytes),
            content.tape.nodes[node].kind == .text, !content.tape.isEmpty(node)
        else { return nil }
        return content.tape.nodes[node].range
    }
}

extension RawSpan {
    /// Whether a text begins with these letters.
    func begins(_ range: Range<Int>, with word: StaticString) -> Bool {
        let size = word.utf8CodeUnitCount
        return range.count >= size && equals(word, range.lowerBound..<range.lowerBound + size)
    }
}

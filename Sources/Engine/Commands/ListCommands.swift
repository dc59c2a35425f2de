internal import HoldfastBytes
internal import HoldfastRESP
internal import Store

/// Commands on lists. Those that wait for an element stand in `BlockingListCommands`.
public enum ListCommands {
    // MARK: Pushing

    @Sendable
    static func lpush(_ context: inout CommandContext) throws(CommandError) {
        try push(&context, at: .head, makesKey: true)
    }

    @Sendable
    static func rpush(_ context: inout CommandContext) throws(CommandError) {
        try push(&context, at: .tail, makesKey: true)
    }

    @Sendable
    static func lpushx(_ context: inout CommandContext) throws(CommandError) {
        try push(&context, at: .head, makesKey: false)
    }

    @Sendable
    static func rpushx(_ context: inout CommandContext) throws(CommandError) {
        try push(&context, at: .tail, makesKey: false)
    }

    @inline(__always)
    private static func push(
        _ context: inout CommandContext, at end: ListEnd, makesKey: Bool
    ) throws(CommandError) {
        let key = context.key(at: 1)
        let entry = try context.lookupListForWrite(key)
        guard entry != nil || makesKey else { return context.reply.integer(0) }
        let arguments = context.arguments
        var bytes = 0
        // Only a packed value may become too long.
        if entry?.encoding != .quicklist {
            for index in 2..<arguments.count { bytes &+= arguments[index].count }
        }
        let length = context.keyspace.pushList(
            key, context.database, entry, at: end, count: arguments.count - 2, bytes: bytes,
            context.limits.encodings.listNodes
        ) { arguments[$0 &+ 2] }
        context.changeCount = arguments.count - 2
        context.notify(.list, end == .head ? "lpush" : "rpush", key)
        context.reply.integer(length)
    }

    // MARK: Popping

    @Sendable
    static func lpop(_ context: inout CommandContext) throws(CommandError) {
        try pop(&context, at: .head)
    }

    @Sendable
    static func rpop(_ context: inout CommandContext) throws(CommandError) {
        try pop(&context, at: .tail)
    }

    @inline(__always)
    private static func pop(_ context: inout CommandContext, at end: ListEnd) throws(CommandError) {
        guard context.arguments.count == 2 else { return try popSome(&context, at: end) }
        let key = context.key(at: 1)
        guard let entry = try context.lookupListForWrite(key) else { return context.reply.null() }
        context.popOne(key, entry, at: end)
    }

    /// `LPOP key count`
    private static func popSome(
        _ context: inout CommandContext, at end: ListEnd
    ) throws(CommandError) {
        guard context.arguments.count == 3 else {
            throw .wrongArity(end == .head ? "lpop" : "rpop")
        }
        guard let wanted = DecimalText.parse(context.arguments[2]), wanted >= 0 else {
            throw .mustBePositive
        }
        let key = context.key(at: 1)
        guard let entry = try context.lookupListForWrite(key) else {
            return context.reply.nullArray()
        }
        guard wanted > 0 else { return context.reply.array(0) }
        context.popSome(key, entry, at: end, most: Int(wanted))
    }

    /// `LMPOP numkeys key … LEFT|RIGHT [COUNT count]`
    @Sendable
    static func lmpop(_ context: inout CommandContext) throws(CommandError) {
        let request = try MultiPop(context, from: 1)
        guard try request.run(&context) else { return context.reply.nullArray() }
    }

    // MARK: Reading

    @Sendable
    static func llen(_ context: inout CommandContext) throws(CommandError) {
        let entry = try context.lookupList(context.key(at: 1))
        context.reply.integer(entry.map { ListValue($0).count } ?? 0)
    }

    @Sendable
    static func lindex(_ context: inout CommandContext) throws(CommandError) {
        guard let entry = try context.lookupList(context.key(at: 1)) else {
            return context.reply.null()
        }
        let list = ListValue(entry)
        let wanted = try context.integer(at: 2)
        guard let index = list.index(wanted) else { return context.reply.null() }
        context.reply.bulk(list[index])
    }

    @Sendable
    static func lrange(_ context: inout CommandContext) throws(CommandError) {
        let start = try context.integer(at: 2)
        let end = try context.integer(at: 3)
        guard let entry = try context.lookupList(context.key(at: 1)) else {
            return context.reply.array(0)
        }
        let list = ListValue(entry)
        let range = list.range(start, end)
        context.reply.array(range.count)
        context.reply.bulks(of: list, range)
    }

    /// `LPOS key element [RANK rank] [COUNT count] [MAXLEN length]`
    @Sendable
    static func lpos(_ context: inout CommandContext) throws(CommandError) {
        var search = try ElementSearch(context)
        guard let entry = try context.lookupList(context.key(at: 1)) else {
            if search.count == nil { context.reply.null() } else { context.reply.array(0) }
            return
        }
        let list = ListValue(entry)
        guard search.count != nil else {
            var found: Int?
            search.count = 1
            search.run(list) { found = $0 }
            if let found { context.reply.integer(found) } else { context.reply.null() }
            return
        }
        let mark = context.reply.beginArray()
        var found = 0
        search.run(list) { index in
            context.reply.integer(index)
            found += 1
        }
        context.reply.endArray(mark, count: found)
    }

    // MARK: Changing

    @Sendable
    static func lset(_ context: inout CommandContext) throws(CommandError) {
        let key = context.key(at: 1)
        guard let entry = try context.lookupListForWrite(key) else { throw .noSuchKey }
        let wanted = try context.integer(at: 2)
        guard let index = ListValue(entry).index(wanted) else { throw .indexOutOfRange }
        let value = context.arguments[3]
        let limit = context.limits.encodings.listNodes
        let grown = context.keyspace.listToGrow(
            key, context.database, entry, bytes: value.count, elements: 1, limit)
        var mayBePacked = false
        context.keyspace.editList(key, context.database, grown) { block in
            guard let offset = block.list.offset(ofIndex: index) else { return false }
            block.replace(at: offset, with: value)
            return true
        } nodes: { nodes, epochs in
            nodes.set(index, to: value, limit, &epochs)
            mayBePacked = nodes.packed(below: limit) != nil
            return true
        }
        if mayBePacked { context.keyspace.packList(key, context.database, limit) }
        context.notify(.list, "lset", key)
        context.reply.ok()
    }

    /// `LINSERT key BEFORE|AFTER pivot element`
    @Sendable
    static func linsert(_ context: inout CommandContext) throws(CommandError) {
        let isBehind = context.arguments[2].equalsIgnoringCase("after")
        guard isBehind || context.arguments[2].equalsIgnoringCase("before") else { throw .syntax }
        let key = context.key(at: 1)
        guard let entry = try context.lookupListForWrite(key) else {
            return context.reply.integer(0)
        }
        let pivot = context.arguments[3]
        let value = context.arguments[4]
        let limit = context.limits.encodings.listNodes
        var length = -1
        if case .packed(let list) = ListValue(entry), list.find(pivot) == nil {
            return context.reply.integer(length)
        }
        let grown = context.keyspace.listToGrow(
            key, context.database, entry, bytes: value.count, elements: 1, limit)
        context.keyspace.editList(key, context.database, grown) { block in
            guard let offset = block.list.find(pivot) else { return false }
            if isBehind {
                block.insert(value, after: offset)
            } else {
                block.insert(value, before: offset)
            }
            length = block.list.count
            return true
        } nodes: { nodes, epochs in
            guard nodes.insert(value, beside: pivot, isBehind: isBehind, limit, &epochs) else {
                return false
            }
            length = nodes.count
            return true
        }
        if length >= 0 { context.notify(.list, "linsert", key) }
        context.reply.integer(length)
    }

    /// `LREM key count element`
    @Sendable
    static func lrem(_ context: inout CommandContext) throws(CommandError) {
        let count = try context.integer(at: 2)
        let key = context.key(at: 1)
        guard let entry = try context.lookupListForWrite(key) else {
            return context.reply.integer(0)
        }
        let element = context.arguments[3]
        let most = count == 0 ? Int.max : Int(clamping: count.magnitude)
        let limit = context.limits.encodings.listNodes
        var removed = 0
        var left = 0
        var mayBePacked = false
        context.keyspace.editList(key, context.database, entry) { block in
            let found = block.list.count(of: element)
            removed = block.removeEqual(
                to: element, skipping: count < 0 ? max(found - most, 0) : 0, most: most)
            left = block.list.count
            return removed > 0
        } nodes: { nodes, epochs in
            removed = nodes.removeEqual(to: element, most: most, fromEnd: count < 0, &epochs)
            left = nodes.count
            mayBePacked = removed > 0 && nodes.packed(below: limit) != nil
            return removed > 0
        }
        if removed > 0 { context.notify(.list, "lrem", key) }
        if left == 0 {
            context.keyspace.remove(key, context.database)
            context.notify(.generic, "del", key)
        } else if mayBePacked {
            context.keyspace.packList(key, context.database, limit)
        }
        context.reply.integer(removed)
    }

    /// `LTRIM key start stop`
    @Sendable
    static func ltrim(_ context: inout CommandContext) throws(CommandError) {
        let start = try context.integer(at: 2)
        let end = try context.integer(at: 3)
        let key = context.key(at: 1)
        guard let entry = try context.lookupListForWrite(key) else { return context.reply.ok() }
        let list = ListValue(entry)
        let count = list.count
        let kept = list.range(start, end)
        context.changeCount = count - kept.count
        context.notify(.list, "ltrim", key)
        context.reply.ok()
        guard !kept.isEmpty else {
            context.keyspace.remove(key, context.database)
            return context.notify(.generic, "del", key)
        }
        guard kept.count < count else { return }
        let limit = context.limits.encodings.listNodes
        var mayBePacked = false
        context.keyspace.editList(key, context.database, entry) { block in
            block.deleteRange(index: kept.upperBound, count: count - kept.upperBound)
            block.deleteRange(index: 0, count: kept.lowerBound)
            return true
        } nodes: { nodes, epochs in
            nodes.removeLast(count - kept.upperBound, &epochs)
            nodes.removeFirst(kept.lowerBound, &epochs)
            mayBePacked = nodes.packed(below: limit) != nil
            return true
        }
        if mayBePacked { context.keyspace.packList(key, context.database, limit) }
    }

    // MARK: Moving

    /// `LMOVE source target LEFT|RIGHT LEFT|RIGHT`
    @Sendable
    static func lmove(_ context: inout CommandContext) throws(CommandError) {
        let source = try end(context.arguments[3])
        let target = try end(context.arguments[4])
        guard try move(&context, from: source, to: target) else { return context.reply.null() }
    }

    @Sendable
    static func rpoplpush(_ context: inout CommandContext) throws(CommandError) {
        guard try move(&context, from: .tail, to: .head) else { return context.reply.null() }
    }

    static func end(_ word: ByteSlice) throws(CommandError) -> ListEnd {
        if word.equalsIgnoringCase("left") { return .head }
        if word.equalsIgnoringCase("right") { return .tail }
        throw .syntax
    }

    /// Moves an element from the list named by the first argument to the one named by the second, and replies
    /// with it.
    ///
    /// - Returns: false, with nothing done, if there is nothing to move.
    static func move(
        _ context: inout CommandContext, from sourceEnd: ListEnd, to targetEnd: ListEnd
    ) throws(CommandError) -> Bool {
        let source = context.key(at: 1)
        let target = context.key(at: 2)
        guard let entry = try context.lookupListForWrite(source) else { return false }
        let isSame = source.bytes == target.bytes
        if !isSame { _ = try context.lookupListForWrite(target) }
        let list = ListValue(entry)
        let count = list.count
        let value = context.reply.bulkSlice(list[sourceEnd == .head ? 0 : count - 1])
        let limit = context.limits.encodings.listNodes
        if isSame, count == 1 {
            // Comes back to where it was, which counts as a change.
            context.keyspace.editList(
                source, context.database, entry, packed: { _ in true }, nodes: { _, _ in true })
        } else {
            _ = context.keyspace.dropFromList(
                source, context.database, entry, at: sourceEnd, count: 1, limit)
            let other = context.keyspace.find(target, context.database)
            _ = context.keyspace.pushList(
                target, context.database, other, at: targetEnd, count: 1, bytes: value.count,
                limit
            ) { _ in value }
        }
        context.notify(.list, targetEnd == .head ? "lpush" : "rpush", target)
        context.notify(.list, sourceEnd == .head ? "lpop" : "rpop", source)
        if !isSame, count == 1 { context.notify(.generic, "del", source) }
        return true
    }

    // MARK: Table

    public static let table: [CommandSpec] = [
        CommandSpec(
            "lindex", 3, [.readonly], .list, keys: [.first(.ro, [.access])], .data(lindex)),
        CommandSpec(
            "linsert", 5, [.write, .denyOOM], .list, keys: [.first(.rw, [.insert])],
            .data(linsert)),
        CommandSpec("llen", 2, [.readonly, .fast], .list, keys: [.first(.ro)], .data(llen)),
        CommandSpec(
            "lmove", 5, [.write, .denyOOM], .list,
            keys: [.first(.rw, [.access, .delete]), .at(2, .rw, [.insert])], .data(lmove)),
        CommandSpec(
            "lmpop", -4, [.write], .list, keys: [.counted(at: 1, .rw, [.access, .delete])],
            .data(lmpop)),
        CommandSpec(
            "lpop", -2, [.write, .fast], .list, keys: [.first(.rw, [.access, .delete])],
            .data(lpop)),
        CommandSpec("lpos", -3, [.readonly], .list, keys: [.first(.ro, [.access])], .data(lpos)),
        CommandSpec(
            "lpush", -3, [.write, .denyOOM, .fast], .list, keys: [.first(.rw, [.insert])],
            .data(lpush)),
        CommandSpec(
            "lpushx", -3, [.write, .denyOOM, .fast], .list, keys: [.first(.rw, [.insert])],
            .data(lpushx)),
        CommandSpec(
            "lrange", 4, [.readonly], .list, keys: [.first(.ro, [.access])], .data(lrange)),
        CommandSpec("lrem", 4, [.write], .list, keys: [.first(.rw, [.delete])], .data(lrem)),
        CommandSpec(
            "lset", 4, [.write, .denyOOM], .list, keys: [.first(.rw, [.update])], .data(lset)),
        CommandSpec("ltrim", 4, [.write], .list, keys: [.first(.rw, [.delete])], .data(ltrim)),
        CommandSpec(
            "rpop", -2, [.write, .fast], .list, keys: [.first(.rw, [.access, .delete])],
            .data(rpop)),
        CommandSpec(
            "rpoplpush", 3, [.write, .denyOOM], .list,
            keys: [.first(.rw, [.access, .delete]), .at(2, .rw, [.insert])], .data(rpoplpush)),
        CommandSpec(
            "rpush", -3, [.write, .denyOOM, .fast], .list, keys: [.first(.rw, [.insert])],
            .data(rpush)),
        CommandSpec(
            "rpushx", -3, [.write, .denyOOM, .fast], .list, keys: [.first(.rw, [.insert])],
            .data(rpushx)),
    ]
}

/// What LMPOP and BLMPOP ask for.
struct MultiPop {
    /// The first key's place among the words.
    let firstKey: Int
    let keyCount: Int
    let end: ListEnd
    let most: Int

    /// Reads the words from the number of keys on.
    init(_ context: borrowing CommandContext, from start: Int) throws(CommandError) {
        let arguments = context.arguments
        guard let number = DecimalText.parse(arguments[start]), number > 0 else {
            throw .text("ERR numkeys should be greater than 0")
        }
        firstKey = start + 1
        guard number < Int64(arguments.count - firstKey) else { throw .syntax }
        keyCount = Int(number)
        var index = firstKey + keyCount
        end = try ListCommands.end(arguments[index])
        index += 1
        var count: Int64?
        while index < arguments.count {
            guard count == nil, arguments[index].equalsIgnoringCase("count"),
                index + 1 < arguments.count
            else { throw .syntax }
            guard let value = DecimalText.parse(arguments[index + 1]), value > 0 else {
                throw .text("ERR count should be greater than 0")
            }
            count = value
            index += 2
        }
        most = Int(count ?? 1)
    }

    /// Pops from the first list that is there.
    ///
    /// - Returns: false, without a reply, if there is none.
    func run(_ context: inout CommandContext) throws(CommandError) -> Bool {
        for index in firstKey..<firstKey + keyCount {
            let key = context.key(at: index)
            guard let entry = try context.lookupListForWrite(key) else { continue }
            context.reply.array(2)
            context.reply.bulk(key.bytes)
            let popped = context.popSome(key, entry, at: end, most: most)
            context.logInstead(end == .head ? "LPOP" : "RPOP", key.bytes, Int64(popped))
            return true
        }
        return false
    }
}

/// What LPOS looks for.
private struct ElementSearch {
    /// So many matches before the one that counts.
    var skipped = 0
    var isBackwards = false
    /// How many matches to give, 0 for all; nil for one, replied by itself.
    var count: Int?
    /// How many elements to look at.
    var most = Int.max
    let wanted: ByteSlice

    init(_ context: borrowing CommandContext) throws(CommandError) {
        let arguments = context.arguments
        wanted = arguments[2]
        var index = 3
        while index < arguments.count {
            let option = arguments[index]
            guard index + 1 < arguments.count else { throw .syntax }
            if option.equalsIgnoringCase("rank") {
                let rank = try context.integer(at: index + 1)
                guard rank > .min else {
                    throw .text(
                        "ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807"
                    )
                }
                guard rank != 0 else {
                    throw .text(
                        "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... or use negative to start from the end of the list"
                    )
                }
                skipped = Int(rank.magnitude) - 1
                isBackwards = rank < 0
            } else if option.equalsIgnoringCase("count") {
                guard let value = DecimalText.parse(arguments[index + 1]), value >= 0 else {
                    throw .text("ERR COUNT can't be negative")
                }
                count = Int(value)
            } else if option.equalsIgnoringCase("maxlen") {
                guard let value = DecimalText.parse(arguments[index + 1]), value >= 0 else {
                    throw .text("ERR MAXLEN can't be negative")
                }
                most = value == 0 ? .max : Int(value)
            } else {
                throw .syntax
            }
            index += 2
        }
    }

    /// Calls `body` with the index of each match that counts.
    func run(_ list: ListValue, _ body: (Int) -> Void) {
        let integer = DecimalText.parse(wanted)
        let length = list.count
        var seen = 0
        var left = skipped
        var wantedCount = count == 0 ? Int.max : count ?? 1
        /// Looks at one element; false when there is nothing more to look for.
        func look(_ element: PackedElement) -> Bool {
            let isMatch: Bool
            switch element {
            case .integer(let value): isMatch = value == integer
            case .bytes(let bytes): isMatch = bytes == wanted
            }
            seen += 1
            if isMatch {
                if left > 0 {
                    left -= 1
                } else {
                    body(isBackwards ? length - seen : seen - 1)
                    wantedCount -= 1
                }
            }
            return wantedCount > 0 && seen < most
        }
        if isBackwards {
            list.forEachBackwards(from: length - 1, look)
        } else {
            list.forEachWhile(look)
        }
    }
}

extension CommandContext {
    /// The list under `key`, or nil if there is no such key.
    @inline(__always)
    mutating func lookupList(_ key: HashedKey) throws(CommandError) -> Entry? {
        guard let entry = lookup(key) else { return nil }
        if entry.type != .list { throw .wrongType }
        return entry
    }

    @inline(__always)
    mutating func lookupListForWrite(_ key: HashedKey) throws(CommandError) -> Entry? {
        guard let entry = lookupForWrite(key) else { return nil }
        if entry.type != .list { throw .wrongType }
        return entry
    }

    /// Replies with the element at an end of a list and takes it out.
    @inline(__always)
    mutating func popOne(_ key: HashedKey, _ entry: Entry, at end: ListEnd) {
        switch ListValue(entry) {
        case .nodes(let nodes):
            reply.bulk(end == .head ? nodes.firstElement : nodes.lastElement)
        case .packed(let list):
            if let offset = end == .head ? list.firstOffset : list.lastOffset {
                reply.bulk(list[offset])
            }
        }
        drop(key, entry, at: end, count: 1)
    }

    /// Replies with up to `most` elements from an end of a list and takes them out.
    ///
    /// - Returns: how many.
    @discardableResult
    mutating func popSome(_ key: HashedKey, _ entry: Entry, at end: ListEnd, most: Int) -> Int {
        let list = ListValue(entry)
        let length = list.count
        let count = min(most, length)
        changeCount = count
        reply.array(count)
        if end == .head {
            reply.bulks(of: list, 0..<count)
        } else {
            var left = count
            list.forEachBackwards(from: length - 1) { element in
                reply.bulk(element)
                left -= 1
                return left > 0
            }
        }
        drop(key, entry, at: end, count: count)
        return count
    }

    @inline(__always)
    private mutating func drop(_ key: HashedKey, _ entry: Entry, at end: ListEnd, count: Int) {
        let isGone = keyspace.dropFromList(
            key, database, entry, at: end, count: count, limits.encodings.listNodes)
        notify(.list, end == .head ? "lpop" : "rpop", key)
        if isGone { notify(.generic, "del", key) }
    }
}

extension ListValue {
    /// The index that a client means, from 0; nil if there is no such element.
    func index(_ wanted: Int64) -> Int? {
        let count = Int64(count)
        let index = wanted < 0 ? wanted + count : wanted
        return index >= 0 && index < count ? Int(index) : nil
    }

    /// The elements from one index to another that a client means; both may be negative, and outside.
    func range(_ start: Int64, _ end: Int64) -> Range<Int> {
        let count = Int64(count)
        let first = max(start < 0 ? start + count : start, 0)
        let last = min(end < 0 ? end + count : end, count - 1)
        return first > last ? 0..<0 : Int(first)..<Int(last) + 1
    }

    /// Calls `body` with the elements until it returns false.
    func forEachWhile(_ body: (PackedElement) -> Bool) {
        do throws(Ended) {
            try forEach { (element) throws(Ended) in
                if !body(element) { throw Ended() }
            }
        } catch {}
    }

    private struct Ended: Error {}
}

extension ReplyWriter {
    /// As `bulk`, and gives the element's bytes where they stand in the reply: valid until the reply grows.
    mutating func bulkSlice(_ element: PackedElement) -> ByteSlice {
        let count = element.count
        bulk(element)
        let end = buffer.count - 2
        return buffer.slice.slice(end - count..<end)
    }

    /// The elements of a list in a range.
    @inline(__always)
    mutating func bulks(of list: ListValue, _ range: Range<Int>) {
        list.forEach(from: range.lowerBound, count: range.count) { bulk($0) }
    }
}

internal import HoldfastBytes
internal import HoldfastRESP
internal import Store

/// SORT and SORT_RO: the elements of a list, a set or a sorted set in order, or what other keys say about them.
public enum SortCommands {
    @Sendable
    static func sort(_ context: inout CommandContext) throws(CommandError) {
        let request = try SortRequest(context, mayStore: true)
        let items = try sorted(&context, request)
        if let place = request.storeIndex {
            store(&context, request, items, in: context.key(at: place))
        } else {
            reply(&context, request, items)
        }
    }

    @Sendable
    static func sortRo(_ context: inout CommandContext) throws(CommandError) {
        let request = try SortRequest(context, mayStore: false)
        reply(&context, request, try sorted(&context, request))
    }

    // MARK: The elements

    /// The elements that the command is about, in order and cut to its LIMIT.
    private static func sorted(
        _ context: inout CommandContext, _ request: SortRequest
    ) throws(CommandError) -> ArraySlice<SortItem> {
        var request = request
        guard let entry = context.lookup(context.key(at: 1)) else { return [] }
        var items: [SortItem] = []
        switch entry.type {
        case .list:
            let list = ListValue(entry)
            if request.isUnsorted {
                load(list, request, into: &items)
                return items[...]
            }
            items.reserveCapacity(list.count)
            list.forEach { items.append(SortItem($0)) }
        case .sortedSet:
            let set = SortedSetView(entry)
            if request.isUnsorted {
                let range = request.range(of: set.count)
                let ranks =
                    request.isDescending
                    ? set.count - range.upperBound..<set.count - range.lowerBound : range
                set.forEach(ranks, reversed: request.isDescending) { member, _ in
                    items.append(SortItem(member))
                }
                return items[...]
            }
            items.reserveCapacity(set.count)
            set.forEach { member, _ in items.append(SortItem(member)) }
        case .set:
            if request.isUnsorted, request.storeIndex != nil {
                // What is stored must not depend on the order in which a table happens to have its members.
                request.isUnsorted = false
                request.isAlphabetic = true
                request.by = nil
            }
            let set = SetValue(entry)
            items.reserveCapacity(set.count)
            set.forEach { items.append(SortItem($0)) }
        case .string, .hash, .stream: throw .wrongType
        }
        if !request.isUnsorted {
            try weigh(&context, request, &items)
            sort(&items, request, breaksTies: entry.type == .set)
        }
        return items[request.range(of: items.count)]
    }

    /// The elements of a list that stays in its own order, from the end if descending.
    private static func load(
        _ list: ListValue, _ request: SortRequest, into items: inout [SortItem]
    ) {
        let range = request.range(of: list.count)
        guard !range.isEmpty else { return }
        items.reserveCapacity(range.count)
        if request.isDescending {
            list.forEachBackwards(from: list.count - 1 - range.lowerBound) { element in
                items.append(SortItem(element))
                return items.count < range.count
            }
        } else {
            list.forEach(from: range.lowerBound, count: range.count) { items.append(SortItem($0)) }
        }
    }

    // MARK: The order

    /// Gives every item what it is sorted by.
    private static func weigh(
        _ context: inout CommandContext, _ request: SortRequest, _ items: inout [SortItem]
    ) throws(CommandError) {
        // Like `strcoll`, but not what is stored, which would depend on the locale.
        let isCollated = request.storeIndex == nil
        var name = ByteBuffer()
        var isWrong = false
        for index in items.indices {
            var weight: PackedElement? = items[index].element
            if let by = request.by { weight = by.value(for: items[index].element, &context, &name) }
            guard let weight else { continue }
            if request.isAlphabetic {
                items[index].weight = isCollated ? weight.untilZero : weight
            } else if let number = weight.number {
                items[index].number = number
            } else {
                // The others are looked up all the same: those that expired are gone then.
                isWrong = true
            }
        }
        if isWrong { throw .text("ERR One or more scores can't be converted into double") }
    }

    /// - Parameter breaksTies: items that compare equal come in the order of their bytes, not as they came.
    private static func sort(_ items: inout [SortItem], _ request: SortRequest, breaksTies: Bool) {
        let isAlphabetic = request.isAlphabetic
        let isDescending = request.isDescending
        items.sort { left, right in
            var order = isAlphabetic ? left.compareWeight(right) : left.compareNumber(right)
            if order == 0, breaksTies || !isAlphabetic {
                order = left.element.compare(right.element)
            }
            return isDescending ? order > 0 : order < 0
        }
    }

    // MARK: The result

    private static func reply(
        _ context: inout CommandContext, _ request: SortRequest, _ items: ArraySlice<SortItem>
    ) {
        context.reply.array(items.count * max(request.gets.count, 1))
        var name = ByteBuffer()
        for item in items {
            if request.gets.isEmpty { context.reply.bulk(item.element) }
            for pattern in request.gets {
                if let value = pattern.value(for: item.element, &context, &name) {
                    context.reply.bulk(value)
                } else {
                    context.reply.null()
                }
            }
        }
    }

    private static func store(
        _ context: inout CommandContext, _ request: SortRequest, _ items: ArraySlice<SortItem>,
        in key: HashedKey
    ) {
        context.reply.integer(items.count * max(request.gets.count, 1))
        guard !items.isEmpty else {
            guard context.lookupForWrite(key) != nil else { return }
            context.keyspace.remove(key, context.database)
            context.notify(.generic, "del", key)
            return
        }
        // Apart from the keyspace, since the destination may be one of the keys that are read.
        var builder = ValueBuilder(
            limits: context.limits.encodings, hasher: context.keyspace.hasher)
        builder.begin(epoch: context.keyspace.epochs.current)
        builder.beginList()
        var name = ByteBuffer()
        for item in items {
            if request.gets.isEmpty { item.element.withBytes { builder.element($0) } }
            for pattern in request.gets {
                let value = pattern.value(for: item.element, &context, &name)
                (value ?? .bytes(ByteSlice())).withBytes { builder.element($0) }
            }
        }
        context.deleteIfExpired(key)
        context.keyspace.setValue(key, context.database, from: &builder, deadline: nil)
        context.notify(.list, "sortstore", key)
    }

    // MARK: Table

    public static let table: [CommandSpec] = [
        CommandSpec(
            "sort", -2, [.write, .denyOOM], .generic,
            keys: [.first(.ro, [.access]), .unknown(.ro, [.access]), .unknown(.ow, [.update])],
            acl: [.set, .sortedSet, .list, .dangerous], .data(sort)),
        CommandSpec(
            "sort_ro", -2, [.readonly], .generic,
            keys: [.first(.ro, [.access]), .unknown(.ro, [.access])],
            acl: [.set, .sortedSet, .list, .dangerous], .data(sortRo)),
    ]
}

/// An element and what it is sorted by. The bytes are those of the keys, none of which changes meanwhile.
private struct SortItem {
    let element: PackedElement
    /// What to compare alphabetically; nil for a key that isn't there.
    var weight: PackedElement?
    var number = 0.0

    @inline(__always)
    init(_ element: PackedElement) { self.element = element }

    @inline(__always)
    func compareNumber(_ other: SortItem) -> Int {
        number < other.number ? -1 : number > other.number ? 1 : 0
    }

    /// What isn't there comes first.
    @inline(__always)
    func compareWeight(_ other: SortItem) -> Int {
        switch (weight, other.weight) {
        case (let mine?, let others?): mine.compare(others)
        case (nil, nil): 0
        case (nil, _): -1
        case (_, nil): 1
        }
    }
}

/// The words of a SORT.
private struct SortRequest {
    var isDescending = false
    var isAlphabetic = false
    /// BY a word without a star was among the options: the elements stay in their own order.
    var isUnsorted = false
    var by: SortPattern?
    var gets: [SortPattern] = []
    /// The argument that names the destination.
    var storeIndex: Int?
    private var skipped: Int64 = 0
    private var most: Int64 = -1

    init(_ context: borrowing CommandContext, mayStore: Bool) throws(CommandError) {
        let arguments = context.arguments
        var index = 2
        while index < arguments.count {
            let word = arguments[index]
            let left = arguments.count - index - 1
            if word.equalsIgnoringCase("asc") {
                isDescending = false
            } else if word.equalsIgnoringCase("desc") {
                isDescending = true
            } else if word.equalsIgnoringCase("alpha") {
                isAlphabetic = true
            } else if word.equalsIgnoringCase("limit"), left >= 2 {
                skipped = try context.integer(at: index + 1)
                most = try context.integer(at: index + 2)
                index += 2
            } else if mayStore, word.equalsIgnoringCase("store"), left >= 1 {
                storeIndex = index + 1
                index += 1
            } else if word.equalsIgnoringCase("by"), left >= 1 {
                let pattern = SortPattern(arguments[index + 1])
                by = pattern
                if !pattern.hasStar {
                    isUnsorted = true
                } else if !context.limits.readsAnyKey {
                    throw .text(
                        "ERR BY option of SORT denied due to insufficient ACL permissions.")
                }
                index += 1
            } else if word.equalsIgnoringCase("get"), left >= 1 {
                guard context.limits.readsAnyKey else {
                    throw .text(
                        "ERR GET option of SORT denied due to insufficient ACL permissions.")
                }
                gets.append(SortPattern(arguments[index + 1]))
                index += 1
            } else {
                throw .syntax
            }
            index += 1
        }
    }

    /// What LIMIT leaves of `count` elements.
    func range(of count: Int) -> Range<Int> {
        let start = Int(min(max(skipped, 0), Int64(count)))
        let most = most < 0 ? Int64(count) : most
        return start..<start + Int(min(most, Int64(count - start)))
    }
}

/// What BY and GET name: the element itself, or a key, or a field of it, with the element in place of a star.
///
/// Redis looks for the star and the arrow up to the first zero byte.
private struct SortPattern {
    private let prefix: ByteSlice
    private let postfix: ByteSlice
    private let field: ByteSlice?
    let hasStar: Bool
    private let isElement: Bool

    init(_ text: ByteSlice) {
        let zero = text.firstIndex(of: 0, from: 0) ?? text.count
        let visible = text.prefix(zero)
        isElement = visible.count == 1 && visible[0] == UInt8(ascii: "#")
        guard let star = visible.firstIndex(of: UInt8(ascii: "*"), from: 0) else {
            hasStar = false
            prefix = ByteSlice()
            postfix = ByteSlice()
            field = nil
            return
        }
        hasStar = true
        prefix = text.prefix(star)
        var dash = visible.firstIndex(of: UInt8(ascii: "-"), from: star + 1)
        while let here = dash, here + 1 < zero, visible[here + 1] != UInt8(ascii: ">") {
            dash = visible.firstIndex(of: UInt8(ascii: "-"), from: here + 1)
        }
        // An arrow with nothing behind it is part of the key's name.
        if let dash, dash + 2 < zero {
            postfix = text.slice(star + 1..<dash)
            field = text.dropFirst(dash + 2)
        } else {
            postfix = text.dropFirst(star + 1)
            field = nil
        }
    }

    /// What the pattern means for an element; nil if there is no such key or field, or of another type.
    ///
    /// - Parameter name: room for the key's name.
    func value(
        for element: PackedElement, _ context: inout CommandContext, _ name: inout ByteBuffer
    ) -> PackedElement? {
        if isElement { return element }
        guard hasStar else { return nil }
        name.removeAll()
        name.append(prefix)
        element.append(to: &name)
        name.append(postfix)
        guard let entry = context.lookup(context.keyspace.hashed(name.slice)) else { return nil }
        if let field {
            guard entry.type == .hash else { return nil }
            // Fields that have expired are not deleted here: values of the same hash may be in use.
            return context.hash(entry).find(field, context.keyspace.hasher)
        }
        guard entry.isString else { return nil }
        return entry.integer.map { .integer($0) } ?? .bytes(entry.bytes)
    }
}

extension ByteSlice {
    fileprivate func firstIndex(of byte: UInt8, from start: Int) -> Int? {
        var index = start
        while index < count {
            if self[index] == byte { return index }
            index += 1
        }
        return nil
    }
}

extension PackedElement {
    /// Order of the bytes, the digits of an integer: less than, equal to or greater than zero.
    fileprivate func compare(_ other: PackedElement) -> Int {
        if case .bytes(let mine) = self, case .bytes(let others) = other {
            return mine.compare(others)
        }
        return withBytes { mine in other.withBytes { others in mine.compare(others) } }
    }

    /// The number that the element spells, as `strtod` reads it.
    fileprivate var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .bytes(let bytes):
            DecimalText.parse(bytes).map { Double($0) } ?? DoubleText.parseWeight(bytes)
        }
    }

    /// The bytes before the first zero, which is all that a comparison of C strings sees.
    fileprivate var untilZero: PackedElement {
        guard case .bytes(let bytes) = self, let zero = bytes.firstIndex(of: 0, from: 0) else {
            return self
        }
        return .bytes(bytes.prefix(zero))
    }
}

public import HoldfastBytes

/// One entry of a stream, where it lies in its node: good until the stream changes.
public struct StreamEntry {
    public let id: StreamID
    /// The number of pairs of a name and a value.
    public let fieldCount: Int
    let isDeleted: Bool
    /// Where in the node's list the entry begins: its flags.
    let offset: Int
    private let list: PackedList
    /// Where the first name lies, the entry's own or the master's.
    private let names: Int
    /// Where the first value lies, if the names are the master's.
    private let values: Int?

    /// - Parameter fields: where the master's field names begin.
    @inline(__always)
    init(
        at offset: Int, in list: PackedList, masterID: StreamID, masterFieldCount: Int, fields: Int
    ) {
        self.offset = offset
        self.list = list
        let flags = Self.integer(offset, list)
        isDeleted = flags & StreamNode.deletedFlag != 0
        var next = offset &+ list.elementBytes(at: offset)
        let milliseconds = Self.integer(next, list)
        next &+= list.elementBytes(at: next)
        let sequence = Self.integer(next, list)
        next &+= list.elementBytes(at: next)
        id = StreamID(
            masterID.milliseconds &+ UInt64(bitPattern: milliseconds),
            masterID.sequence &+ UInt64(bitPattern: sequence))
        if flags & StreamNode.sameFieldsFlag != 0 {
            fieldCount = masterFieldCount
            names = fields
            values = next
        } else {
            fieldCount = Int(Self.integer(next, list))
            names = next &+ list.elementBytes(at: next)
            values = nil
        }
    }

    @inline(__always)
    private static func integer(_ offset: Int, _ list: PackedList) -> Int64 {
        guard case .integer(let value) = list[offset] else {
            preconditionFailure("a stream's node without a number where one belongs")
        }
        return value
    }

    /// Calls `body` with names and values by turns.
    @inline(__always)
    public func forEachWord(_ body: (PackedElement) -> Void) {
        var name = names
        guard var value = values else {
            for _ in 0..<2 &* fieldCount {
                body(list[name])
                name &+= list.elementBytes(at: name)
            }
            return
        }
        for _ in 0..<fieldCount {
            body(list[name])
            name &+= list.elementBytes(at: name)
            body(list[value])
            value &+= list.elementBytes(at: value)
        }
    }

    /// Where the entry behind this one begins, or the list ends.
    @inline(__always)
    var end: Int {
        var next = values ?? names
        for _ in 0..<(values == nil ? 2 &* fieldCount : fieldCount) {
            next &+= list.elementBytes(at: next)
        }
        return next &+ list.elementBytes(at: next)
    }
}

extension StreamEntry {
    /// The entries of a list that `StreamNodeCheck` has found to be a node's, deleted ones included.
    ///
    /// - Parameter body: says whether to go on.
    /// - Returns: false if `body` ended it.
    @inline(__always)
    @discardableResult
    static func forEach(
        in list: PackedList, masterID: StreamID, _ body: (StreamEntry) -> Bool
    ) -> Bool {
        let master = StreamNode.master(of: list)
        var offset = master.fields
        for _ in 0...master.fieldCount { offset &+= list.elementBytes(at: offset) }
        let end = list.endOffset
        while offset < end {
            let entry = StreamEntry(
                at: offset, in: list, masterID: masterID, masterFieldCount: master.fieldCount,
                fields: master.fields)
            guard body(entry) else { return false }
            offset = entry.end
        }
        return true
    }
}

extension StreamNode {
    /// The entries of the node in order, deleted ones included.
    ///
    /// - Parameter body: says whether to go on.
    /// - Returns: false if `body` ended it.
    @inline(__always)
    @discardableResult
    func forEachEntry(_ body: (StreamEntry) -> Bool) -> Bool {
        StreamEntry.forEach(in: list, masterID: masterID, body)
    }

    /// As `forEachEntry`, from the last entry to the first.
    @inline(__always)
    func forEachEntryBackwards(_ body: (StreamEntry) -> Bool) -> Bool {
        let list = list
        let master = Self.master(of: list)
        let masterID = masterID
        var end = list.endOffset
        while let last = list.previous(before: end) {
            // The entry's last element tells how many are before it; the master entry's is 0.
            guard case .integer(let count) = list[last], count > 0 else { return true }
            var offset = last
            for _ in 0..<count { offset = list.previous(before: offset) ?? offset }
            let entry = StreamEntry(
                at: offset, in: list, masterID: masterID, masterFieldCount: master.fieldCount,
                fields: master.fields)
            guard body(entry) else { return false }
            end = offset
        }
        return true
    }
}

/// A list that nobody vouched for and that is a node's: complete, its counts right, its entries in order.
public struct StreamNodeCheck {
    public let list: PackedList
    public let masterID: StreamID
    public let liveCount: Int
    /// Of the entries, deleted ones included.
    public let firstID: StreamID?
    public let lastID: StreamID?

    /// Nil if the bytes are no node's.
    public init?(_ bytes: ByteSlice, master: StreamID) {
        guard PackedList.isValid(bytes, deep: true) else { return nil }
        var walk = NodeWalk(PackedList(bytes))
        guard let live = walk.number(), let deleted = walk.number(), let fields = walk.number(),
            live >= 0, deleted >= 0, fields >= 0, walk.skip(fields), walk.number() == 0
        else { return nil }
        var found: (live: Int64, deleted: Int64) = (0, 0)
        var first: StreamID?
        var last: StreamID?
        while !walk.isAtEnd {
            guard let flags = walk.smallNumber(), flags <= 3, let milliseconds = walk.number(),
                let sequence = walk.number()
            else { return nil }
            let id = StreamID(
                master.milliseconds &+ UInt64(bitPattern: milliseconds),
                master.sequence &+ UInt64(bitPattern: sequence))
            if let last, id <= last { return nil }
            if first == nil { first = id }
            last = id
            var elements: Int64
            if flags & StreamNode.sameFieldsFlag != 0 {
                guard walk.skip(fields) else { return nil }
                elements = fields + 3
            } else {
                guard let own = walk.number(), own >= 0, own < 1 << 30, walk.skip(2 * own) else {
                    return nil
                }
                elements = 2 * own + 4
            }
            guard walk.number() == elements else { return nil }
            if flags & StreamNode.deletedFlag != 0 { found.deleted += 1 } else { found.live += 1 }
        }
        guard found == (live, deleted) else { return nil }
        list = PackedList(bytes)
        masterID = master
        liveCount = Int(live)
        firstID = first
        lastID = last
    }

    /// Calls `body` with each live entry.
    public func forEachLive(_ body: (StreamEntry) -> Void) {
        StreamEntry.forEach(in: list, masterID: masterID) { entry in
            if !entry.isDeleted { body(entry) }
            return true
        }
    }
}

/// Goes over a valid packed list that need not be a node's.
private struct NodeWalk {
    private let list: PackedList
    private var offset: Int

    init(_ list: PackedList) {
        self.list = list
        offset = PackedList.headerBytes
    }

    var isAtEnd: Bool { offset >= list.endOffset }

    mutating func number() -> Int64? {
        guard !isAtEnd, case .integer(let value) = list[offset] else { return nil }
        offset += list.elementBytes(at: offset)
        return value
    }

    /// A number in a form of one byte.
    mutating func smallNumber() -> Int64? {
        guard !isAtEnd, list.bytes[offset] < 0x80 else { return nil }
        return number()
    }

    mutating func skip(_ count: Int64) -> Bool {
        var left = count
        while left > 0 {
            guard !isAtEnd else { return false }
            offset += list.elementBytes(at: offset)
            left -= 1
        }
        return true
    }
}

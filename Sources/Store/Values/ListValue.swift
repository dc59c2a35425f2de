public import HoldfastBytes

/// A list as its readers see it, whether it is one packed value or many nodes. It is a view: valid until the key's
/// next change.
public enum ListValue {
    case packed(PackedList)
    case nodes(ListNodes)

    /// - Parameter entry: of type list.
    @inline(__always)
    public init(_ entry: Entry) {
        assert(entry.type == .list)
        if entry.encoding == .quicklist {
            self = .nodes(entry.root(ListNodes.self))
        } else {
            self = .packed(PackedList(entry.packed))
        }
    }

    @inline(__always)
    public var count: Int {
        switch self {
        case .packed(let list): list.count
        case .nodes(let nodes): nodes.count
        }
    }

    /// The number of runs that `forEachNode` gives.
    public var nodeCount: Int {
        switch self {
        case .packed: 1
        case .nodes(let nodes): nodes.nodeCount
        }
    }

    /// The element with this index, from 0, which must be there.
    @inline(__always)
    public subscript(index: Int) -> PackedElement {
        switch self {
        case .nodes(let nodes): return nodes[index]
        case .packed(let list):
            guard let offset = list.offset(ofIndex: index) else {
                preconditionFailure("no element \(index) in a list of \(list.count)")
            }
            return list[offset]
        }
    }

    /// Calls `body` with the elements from `index` on, at most `count` of them.
    @inline(__always)
    public func forEach<E: Error>(
        from index: Int = 0, count: Int = .max, _ body: (PackedElement) throws(E) -> Void
    ) throws(E) {
        switch self {
        case .nodes(let nodes): try nodes.forEach(from: index, count: count, body)
        case .packed(let list):
            var offset = list.offset(ofIndex: index)
            var left = count
            while let here = offset, left > 0 {
                try body(list[here])
                left &-= 1
                offset = list.next(after: here)
            }
        }
    }

    /// Calls `body` with the elements from `index` on towards the beginning, until it returns false.
    @inline(__always)
    public func forEachBackwards(from index: Int, _ body: (PackedElement) -> Bool) {
        switch self {
        case .nodes(let nodes): nodes.forEachBackwards(from: index, body)
        case .packed(let list):
            var offset = list.offset(ofIndex: index)
            while let here = offset {
                guard body(list[here]) else { return }
                offset = list.previous(before: here)
            }
        }
    }

    /// Calls `body` with runs of elements as they lie in memory, in order.
    public func forEachNode<E: Error>(
        _ body: (ListNodes.Part) throws(E) -> Void
    ) throws(E) {
        switch self {
        case .packed(let list): try body(.packed(list))
        case .nodes(let nodes): try nodes.forEachNode(body)
        }
    }
}

/// Which end of a list.
public enum ListEnd: Sendable {
    case head, tail

    public var opposite: ListEnd { self == .head ? .tail : .head }
}

extension Keyspace {
    // MARK: Lists

    /// The entry of a list that is to grow by so much: as it is, or turned into several nodes if it would be too
    /// much for a packed value; an empty list if there is none. The caller goes on to change it.
    ///
    /// - Parameter entry: what `find` gives for the key.
    @inline(__always)
    public mutating func listToGrow(
        _ key: HashedKey, _ database: Int, _ entry: Entry?, bytes: Int, elements: Int,
        _ limit: ListNodeLimit
    ) -> Entry {
        if _fastPath(entry?.encoding == .quicklist), let entry { return entry }
        return packedListToGrow(
            key, database, entry, bytes: bytes, elements: elements, limit)
    }

    private mutating func packedListToGrow(
        _ key: HashedKey, _ database: Int, _ entry: Entry?, bytes: Int, elements: Int,
        _ limit: ListNodeLimit
    ) -> Entry {
        let list = entry.map { PackedList($0.packed) } ?? .empty
        if limit.isExceeded(bytes: list.byteCount + bytes, elements: list.count + elements) {
            let nodes = ListNodes.make(list, epoch: epochs.current)
            setRoot(key, database, .list, .quicklist, to: nodes, deadline: .keep)
        } else if let entry {
            return entry
        } else {
            setPacked(key, database, .list, .listpack, to: list.bytes, deadline: .clear)
        }
        guard let made = find(key, database) else { preconditionFailure("list was not made") }
        return made
    }

    /// Lets `body` change a list; it says whether it did.
    ///
    /// - Parameter entry: what `find` gives for the key.
    @inline(__always)
    @discardableResult
    public mutating func editList(
        _ key: HashedKey, _ database: Int, _ entry: Entry,
        packed: (inout PackedBlock) -> Bool, nodes: (inout ListNodes, inout EpochClock) -> Bool
    ) -> Bool {
        if entry.encoding == .quicklist {
            return editRoot(key, database, entry, as: ListNodes.self, nodes)
        }
        return editPacked(key, database, entry, packed)
    }

    /// Puts elements, one after the other, at an end of a list, which is made if there is none.
    ///
    /// - Parameters:
    ///   - entry: what `find` gives for the key.
    ///   - count: of elements.
    ///   - bytes: of all elements together.
    ///   - element: gives them.
    /// - Returns: the list's length.
    @inline(__always)
    public mutating func pushList(
        _ key: HashedKey, _ database: Int, _ entry: Entry?, at end: ListEnd, count: Int,
        bytes: Int, _ limit: ListNodeLimit, _ element: (Int) -> ByteSlice
    ) -> Int {
        if entry == nil,
            !limit.isExceeded(bytes: PackedList.empty.byteCount + bytes, elements: count)
        {
            scratch.setEmptyList()
            for index in 0..<count {
                if end == .head {
                    scratch.prepend(element(index))
                } else {
                    scratch.append(element(index))
                }
            }
            setPacked(
                key, database, .list, .listpack, to: scratch.list.bytes, deadline: .clear)
            return count
        }
        let entry = listToGrow(key, database, entry, bytes: bytes, elements: count, limit)
        var length = 0
        editList(key, database, entry) { block in
            for index in 0..<count {
                if end == .head {
                    block.prepend(element(index))
                } else {
                    block.append(element(index))
                }
            }
            length = block.list.count
            return true
        } nodes: { nodes, epochs in
            for index in 0..<count {
                if end == .head {
                    nodes.prepend(element(index), limit, &epochs)
                } else {
                    nodes.append(element(index), limit, &epochs)
                }
            }
            length = nodes.count
            return true
        }
        return length
    }

    /// Takes elements out at an end of a list; the key goes with the last one.
    ///
    /// - Parameters:
    ///   - entry: what `find` gives for the key.
    ///   - count: no more than there are, and not 0.
    /// - Returns: whether the key went.
    @inline(__always)
    public mutating func dropFromList(
        _ key: HashedKey, _ database: Int, _ entry: Entry, at end: ListEnd, count: Int,
        _ limit: ListNodeLimit
    ) -> Bool {
        if ListValue(entry).count == count {
            remove(key, database)
            return true
        }
        var mayBePacked = false
        editList(key, database, entry) { block in
            block.deleteRange(index: end == .head ? 0 : -count, count: count)
            return true
        } nodes: { nodes, epochs in
            switch (end, count) {
            case (.head, 1): nodes.removeFirst(&epochs)
            case (.tail, 1): nodes.removeLast(&epochs)
            case (.head, _): nodes.removeFirst(count, &epochs)
            case (.tail, _): nodes.removeLast(count, &epochs)
            }
            mayBePacked = nodes.packed(below: limit) != nil
            return true
        }
        if _slowPath(mayBePacked) { packList(key, database, limit) }
        return false
    }

    /// Turns a list of one small node into a packed value, after it has shrunk.
    public mutating func packList(_ key: HashedKey, _ database: Int, _ limit: ListNodeLimit) {
        guard let entry = find(key, database), entry.encoding == .quicklist,
            let list = entry.root(ListNodes.self).packed(below: limit)
        else { return }
        setPacked(key, database, .list, .listpack, to: list.bytes, deadline: .keep)
    }
}

internal import Glibc
public import HoldfastBytes

// Elements of a long list: reading them, and changing those in the middle.

extension ListNodes {
    // MARK: Reading

    /// The element with this index, which must be there; valid until the list changes.
    public subscript(index: Int) -> PackedElement {
        let (place, inner) = find(index)
        let node = node(place)
        return node.element(at: node.offset(ofIndex: inner))
    }

    /// The first element, which must be there.
    @inline(__always)
    public var firstElement: PackedElement {
        let node = first
        return node.isSingle ? .bytes(node.blob.bytes) : node.list[PackedList.headerBytes]
    }

    /// The last element, which must be there.
    @inline(__always)
    public var lastElement: PackedElement {
        let node = last
        return node.element(at: node.offset(ofIndex: -1))
    }

    /// Calls `body` with the elements from `index` on, at most `count` of them.
    @inline(__always)
    public func forEach<E: Error>(
        from index: Int, count: Int, _ body: (PackedElement) throws(E) -> Void
    ) throws(E) {
        guard index < self.count, count > 0 else { return }
        var left = min(count, self.count - index)
        var (place, inner) = find(index)
        while true {
            let node = node(place)
            if node.isSingle {
                try body(.bytes(node.blob.bytes))
                left &-= 1
            } else {
                let list = node.list
                var offset: Int? = node.offset(ofIndex: inner)
                while let here = offset, left > 0 {
                    try body(list[here])
                    left &-= 1
                    offset = list.next(after: here)
                }
            }
            guard left > 0, let following = next(place) else { return }
            place = following
            inner = 0
        }
    }

    /// Calls `body` with the elements from `index` on towards the beginning, until it returns false.
    @inline(__always)
    public func forEachBackwards(from index: Int, _ body: (PackedElement) -> Bool) {
        guard index >= 0, index < count else { return }
        var (place, inner) = find(index)
        while true {
            let node = node(place)
            if node.isSingle {
                guard body(.bytes(node.blob.bytes)) else { return }
            } else {
                let list = node.list
                var offset: Int? = node.offset(ofIndex: inner)
                while let here = offset {
                    guard body(list[here]) else { return }
                    offset = list.previous(before: here)
                }
            }
            guard let before = previous(place) else { return }
            place = before
            inner = -1
        }
    }

    /// A run of elements as they lie in memory.
    public enum Part {
        case packed(PackedList)
        /// One large element.
        case single(ByteSlice)
    }

    /// Calls `body` with all nodes in order.
    public func forEachNode<E: Error>(_ body: (Part) throws(E) -> Void) throws(E) {
        var place: Place? = isEmpty ? nil : firstPlace
        while let here = place {
            let node = node(here)
            try body(node.isSingle ? .single(node.blob.bytes) : .packed(node.list))
            place = next(here)
        }
    }

    // MARK: Building

    /// Puts a node behind all others: elements that came as such from a file.
    public mutating func append(_ part: Part, _ epochs: inout EpochClock) {
        prepare(&epochs)
        let node: ListNode
        switch part {
        case .packed(let list):
            guard !list.isEmpty else { return }
            node = ListNode(
                PackedBlock.make(
                    payload: list.bytes, room: list.byteCount, epoch: epochs.current))
        case .single(let bytes):
            let blob = Blob.make(room: bytes.count, epoch: epochs.current)
            blob.write(bytes, at: 0)
            blob.count = bytes.count
            node = ListNode(blob)
        }
        count += node.count
        push(node, &epochs)
    }

    // MARK: Inserting

    /// Puts an element before or behind the first one that equals `pivot`; O(n) for the search.
    ///
    /// - Returns: false if there is no such element; nothing has changed then.
    public mutating func insert(
        _ bytes: ByteSlice, beside pivot: ByteSlice, isBehind: Bool, _ limit: ListNodeLimit,
        _ epochs: inout EpochClock
    ) -> Bool {
        var next: Place? = isEmpty ? nil : firstPlace
        while let place = next {
            let node = node(place)
            if node.isSingle {
                if node.blob.bytes == pivot {
                    insert(bytes, at: place, offset: 0, isBehind: isBehind, limit, &epochs)
                    return true
                }
            } else if let offset = node.list.find(pivot) {
                insert(bytes, at: place, offset: offset, isBehind: isBehind, limit, &epochs)
                return true
            }
            next = self.next(place)
        }
        return false
    }

    /// Puts an element beside the one at `offset` of the node at `place`.
    private mutating func insert(
        _ bytes: ByteSlice, at place: Place, offset: Int, isBehind: Bool,
        _ limit: ListNodeLimit, _ epochs: inout EpochClock
    ) {
        prepare(&epochs)
        count += 1
        var place = place
        let node = node(place)
        if !node.isSingle, limit.fits(bytes, into: node.list) {
            var block = node.writableBlock(&epochs)
            if isBehind {
                block.insert(bytes, after: offset)
            } else {
                block.insert(bytes, before: offset)
            }
            set(&place, ListNode(block), &epochs)
            return
        }
        let isAtEdge =
            node.isSingle
            || (isBehind
                ? node.list.next(after: offset) == nil : offset == PackedList.headerBytes)
        if isAtEdge {
            if var beside = isBehind ? next(place) : previous(place) {
                let other = self.node(beside)
                if !other.isSingle, limit.fits(bytes, into: other.list) {
                    var block = other.writableBlock(&epochs)
                    if isBehind { block.prepend(bytes) } else { block.append(bytes) }
                    set(&beside, ListNode(block), &epochs)
                    return
                }
            }
            let added = ListNode.make(bytes, limit, epoch: epochs.current)
            if isBehind {
                _ = insert(added, after: place, &epochs)
            } else {
                _ = insert(added, before: place, &epochs)
            }
            return
        }
        // Parts the node where the element goes, which joins the part that has room, or stands between them.
        let start = position(place)
        var block = node.writableBlock(&epochs)
        guard let border = isBehind ? block.list.next(after: offset) : offset else {
            preconditionFailure("split at the end of a node")
        }
        var rest = block.split(at: border, epoch: epochs.current)
        let fitsBefore = limit.fits(bytes, into: block.list)
        let fitsBehind = !fitsBefore && limit.fits(bytes, into: rest.list)
        if fitsBefore { block.append(bytes) } else if fitsBehind { rest.prepend(bytes) }
        block.trim(block.list.byteCount)
        let restStart = start + block.list.count + (fitsBefore || fitsBehind ? 0 : 1)
        set(&place, ListNode(block), &epochs)
        if !fitsBefore, !fitsBehind {
            place = insert(
                ListNode.make(bytes, limit, epoch: epochs.current), after: place, &epochs)
        }
        _ = insert(ListNode(rest), after: place, &epochs)
        join(at: restStart, limit, &epochs)
        join(at: start, limit, &epochs)
    }

    // MARK: Replacing

    /// Puts an element in place of the one with this index, which must be there; O(log n).
    public mutating func set(
        _ index: Int, to bytes: ByteSlice, _ limit: ListNodeLimit, _ epochs: inout EpochClock
    ) {
        prepare(&epochs)
        var (place, inner) = find(index)
        let node = node(place)
        let isLarge = bytes.count >= limit.singleBytesMin
        guard !node.isSingle, !isLarge || node.count > 1 else {
            set(&place, ListNode.make(bytes, limit, epoch: epochs.current), &epochs)
            node.release(&epochs)
            return join(at: index, limit, &epochs)
        }
        let offset = node.offset(ofIndex: inner)
        let before = node.list.byteCount
        let after =
            before - node.list.elementBytes(at: offset) + PackedList.encodedSize(of: bytes)
        var block = node.writableBlock(&epochs)
        if !isLarge,
            after <= before || limit.allows(bytes: after, elements: 1)
                || node.list.count == 1
        {
            block.replace(at: offset, with: bytes)
            set(&place, ListNode(block), &epochs)
            if after < before { join(at: index, limit, &epochs) }
            return
        }
        // It is too much for the node: parts it and stands between the parts.
        let added = ListNode.make(bytes, limit, epoch: epochs.current)
        var rest: PackedBlock?
        if let border = block.list.next(after: offset) {
            rest = block.split(at: border, epoch: epochs.current)
        }
        block.delete(at: offset)
        if block.list.isEmpty {
            block.release(&epochs)
            set(&place, added, &epochs)
        } else {
            block.trim(block.list.byteCount)
            set(&place, ListNode(block), &epochs)
            place = insert(added, after: place, &epochs)
        }
        if let rest { _ = insert(ListNode(rest), after: place, &epochs) }
        join(at: index, limit, &epochs)
    }

    // MARK: Removing

    /// Takes out elements that equal `bytes`: the first `most` of them, or the last.
    ///
    /// - Returns: how many.
    public mutating func removeEqual(
        to bytes: ByteSlice, most: Int, fromEnd: Bool, _ epochs: inout EpochClock
    ) -> Int {
        var removed = 0
        var next: Place? = isEmpty ? nil : fromEnd ? lastPlace : firstPlace
        while var place = next, removed < most {
            let node = node(place)
            let found = node.count(of: bytes)
            guard found > 0 else {
                next = fromEnd ? previous(place) : self.next(place)
                continue
            }
            let taken = min(found, most - removed)
            prepare(&epochs)
            removed += taken
            count -= taken
            if taken == node.count {
                let start = position(place)
                next = remove(place, &epochs)
                node.release(&epochs)
                if fromEnd { next = start > 0 ? find(start - 1).place : nil }
                if isEmpty { next = nil }
                continue
            }
            var block = node.writableBlock(&epochs)
            block.removeEqual(to: bytes, skipping: fromEnd ? found - taken : 0, most: taken)
            set(&place, ListNode(block), &epochs)
            next = fromEnd ? previous(place) : self.next(place)
        }
        return removed
    }

    // MARK: Joining

    /// The number of elements before a node.
    private func position(_ place: Place) -> Int {
        switch place.part {
        case .first: 0
        case .middle: first.count + place.cursor.position
        case .last: (hasFirst ? first.count : 0) + tree.count
        }
    }

    /// Joins the node that holds an element with its neighbours, as far as they make a good node together.
    private func join(at index: Int, _ limit: ListNodeLimit, _ epochs: inout EpochClock) {
        if let before = previous(find(index).place) { joinWithNext(before, limit, &epochs) }
        joinWithNext(find(index).place, limit, &epochs)
    }

    private func joinWithNext(
        _ place: Place, _ limit: ListNodeLimit, _ epochs: inout EpochClock
    ) {
        guard let following = next(place) else { return }
        let node = node(place)
        let other = self.node(following)
        guard !node.isSingle, !other.isSingle,
            limit.allows(
                bytes: node.byteCount + other.byteCount - PackedList.empty.byteCount,
                elements: node.count + other.count)
        else { return }
        var block = node.writableBlock(&epochs)
        block.append(contentsOf: other.list)
        var place = place
        set(&place, ListNode(block), &epochs)
        if let following = next(place) { remove(following, &epochs) }
        other.release(&epochs)
    }
}

extension ListNode {
    fileprivate func count(of wanted: ByteSlice) -> Int {
        isSingle ? (blob.bytes == wanted ? 1 : 0) : list.count(of: wanted)
    }
}

extension PackedList {
    /// How many elements equal `wanted`.
    public func count(of wanted: ByteSlice) -> Int {
        var count = 0
        var offset = find(wanted)
        while let here = offset {
            count += 1
            offset = next(after: here).flatMap { find(wanted, from: $0) }
        }
        return count
    }
}

extension PackedBlock {
    /// Takes elements that equal `wanted` out, in one pass.
    ///
    /// - Parameters:
    ///   - skipped: so many of them, the first, stay.
    ///   - most: no more than so many go.
    /// - Returns: how many went.
    @discardableResult
    public mutating func removeEqual(
        to wanted: ByteSlice, skipping skipped: Int = 0, most: Int
    ) -> Int {
        let list = list
        var left = skipped
        var removed = 0
        // What lies before `read` has been dealt with; what stays of it ends at `write`.
        var read = PackedList.headerBytes
        var write = read
        var offset = list.find(wanted)
        while let here = offset, removed < most {
            let next = here + list.elementBytes(at: here)
            if left > 0 {
                left -= 1
            } else {
                keep(read..<here, at: &write)
                read = next
                removed += 1
            }
            offset = next < list.endOffset ? list.find(wanted, from: next) : nil
        }
        guard removed > 0 else { return 0 }
        keep(read..<list.byteCount, at: &write)
        setHeader(byteCount: write, addedCount: -removed)
        shrink(write)
        return removed
    }

    private func keep(_ range: Range<Int>, at target: inout Int) {
        // SAFETY: the range lies in the payload, at or behind `target`.
        unsafe _ = memmove(
            payloadPointer + target, payloadPointer + range.lowerBound, range.count)
        target += range.count
    }
}

internal import Glibc

/// The parts of values that nobody looks at any more, on their way to being freed.
///
/// A value of a million members is a million blocks: removing its key only pushes its root here. Each step takes
/// one part off the stack, pushes what it names, and releases it, so the work can be done bit by bit. A part that
/// a snapshot still sees is kept by the epoch clock.
@safe
struct ReleaseStack {
    /// What a part is, and so how its parts are found.
    enum Kind: UInt8 {
        /// The bytes of a string.
        case blob
        /// A listpack or intset with its header.
        case packed
        /// The root of a `MemberTable`.
        case memberTable
        /// A page of one without values, and of one with values.
        case memberPage
        case fieldPage
        /// The root of `ListNodes`, and a node of its tree.
        case list
        case listTree
        /// The root of a stream.
        case stream
        /// A node of a stream's tree of macro nodes, of its tree of groups, or of a group's tree of consumers.
        case streamNodes
        case streamGroups
        case streamConsumers
        /// A group of a stream.
        case streamGroup
        /// A node of a group's tree of pending items, and of a consumer's, which names items and doesn't own them.
        case pendingItems
        case pendingNames
        /// The root of a large sorted set, a node of its tree, and the directory and a page of its table.
        case sortedSet
        case sortedSetNode
        case sortedSetDirectory
        case sortedSetPage

        /// What an entry's word names, by the value's encoding.
        init(of encoding: Encoding) {
            switch encoding {
            case .int, .embstr, .raw: self = .blob
            case .listpack, .intset: self = .packed
            case .hashtable: self = .memberTable
            case .quicklist: self = .list
            case .stream: self = .stream
            case .skiplist: self = .sortedSet
            }
        }
    }

    @safe
    private struct Part {
        var block: UnsafeMutableRawPointer
        var kind: Kind

        var word: UInt64 { UInt64(UInt(bitPattern: unsafe block)) }
    }

    private var parts: [Part] = []

    init() {}

    var isEmpty: Bool { parts.isEmpty }

    /// The parts known of; each may stand for many.
    var count: Int { parts.count }

    mutating func push(_ block: UnsafeMutableRawPointer, _ kind: Kind) {
        unsafe parts.append(Part(block: block, kind: kind))
    }

    /// As above, with the address as a word; 0 is nothing.
    private mutating func push(_ word: UInt64, _ kind: Kind) {
        guard let block = unsafe UnsafeMutableRawPointer(bitPattern: UInt(word)) else { return }
        unsafe push(block, kind)
    }

    private mutating func push(_ node: ListNode) {
        if node.isSingle {
            unsafe push(node.blob.raw, .blob)
        } else {
            unsafe push(node.block.raw, .packed)
        }
    }

    /// Releases about `limit` parts.
    ///
    /// - Returns: how many were released.
    @discardableResult
    mutating func releaseSome(_ limit: Int, _ epochs: inout EpochClock) -> Int {
        var released = 0
        while released < limit, let part = parts.popLast() {
            // SAFETY: a part's block is what its kind says, and nothing else names it any more.
            switch part.kind {
            case .blob:
                unsafe epochs.release(part.block, bornIn: Blob(part.block).epoch)
            case .packed:
                unsafe epochs.release(part.block, bornIn: PackedBlock(part.block).epoch)
            case .memberTable:
                let table = unsafe MemberTable(part.block)
                let kind = table.hasValues ? Kind.fieldPage : .memberPage
                unsafe table.releaseRoot(&epochs) { unsafe push($0, kind) }
            case .memberPage:
                unsafe MemberTable.releasePage(part.block, hasValues: false, &epochs)
            case .fieldPage:
                unsafe MemberTable.releasePage(part.block, hasValues: true, &epochs)
            case .list:
                let list = unsafe ListNodes(part.block)
                if list.hasFirst { push(list.first) }
                if !list.isEmpty { push(list.last) }
                if !list.tree.isEmpty { push(list.tree.word, .listTree) }
                list.releaseRoot(&epochs)
            case .listTree:
                CountedTree<ListNode>.dismantle(
                    node: part.word, &epochs, child: { push($0, .listTree) },
                    each: { $0.release(&$1) })
            case .stream, .streamNodes, .streamGroups, .streamConsumers, .streamGroup,
                .pendingItems, .pendingNames:
                unsafe StreamValue.dismantle(part.block, part.kind, &self, &epochs)
            case .sortedSet:
                let words = unsafe SortedSetRoot(part.block).dismantle(&epochs)
                push(words.tree, .sortedSetNode)
                push(words.table, .sortedSetDirectory)
            case .sortedSetNode:
                // The items belong to the table.
                SortedSetRoot.Tree.dismantle(node: part.word, &epochs) { node in
                    push(node, .sortedSetNode)
                } each: { _, _ in
                }
            case .sortedSetDirectory:
                SortedSetRoot.Members.dismantle(directory: part.word, &epochs) { page in
                    push(page, .sortedSetPage)
                }
            case .sortedSetPage:
                released += SortedSetRoot.Members.dismantle(page: part.word, &epochs) {
                    item, epochs in item.release(&epochs)
                }
            }
            released += 1
        }
        return released
    }
}

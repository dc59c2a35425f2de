import HoldfastBytes
import HoldfastPlatform
import Testing

@testable import Store

/// What the tests keep in trees: the number itself, spread out so that hints often tie.
protocol NumberElement: TreeElement {}

extension NumberElement {
    init(_ number: Int) { self.init(word: UInt64(number)) }
    var number: Int { Int(word) }
    var hint: UInt64 { word / 3 }
}

struct SmallElement: NumberElement {
    let word: UInt64
    static var isWeighted: Bool { false }
    static var leafCapacity: Int { 4 }
    static var innerCapacity: Int { 4 }
}

struct SmallWeightedElement: NumberElement {
    let word: UInt64
    static var isWeighted: Bool { true }
    static var leafCapacity: Int { 5 }
    static var innerCapacity: Int { 4 }
}

struct FullElement: NumberElement {
    let word: UInt64
    static var isWeighted: Bool { false }
}

struct FullWeightedElement: NumberElement {
    let word: UInt64
    static var isWeighted: Bool { true }
}

@Suite("A counted tree")
struct CountedTreeTests {
    struct Pair: Equatable {
        var number: Int
        var weight: Int
    }

    /// A tree beside an array that must hold the same.
    struct Rig<Element: NumberElement>: ~Copyable {
        var tree = CountedTree<Element>()
        var model: [Pair] = []
        var epochs = EpochClock()
        var random: PRNG
        /// What a snapshot sees.
        var frozen: (tree: CountedTree<Element>, model: [Pair], epoch: UInt32)?

        init(seed: UInt64) { random = PRNG(seed: seed) }

        deinit {
            var tree = tree
            var epochs = EpochClock()
            tree.releaseAll(&epochs) { _, _ in }
        }

        static func content(_ tree: CountedTree<Element>) -> [Pair] {
            var pairs: [Pair] = []
            tree.forEach { pairs.append(Pair(number: $0.number, weight: $1)) }
            return pairs
        }

        func sum(before index: Int) -> Int { model[..<index].reduce(0) { $0 + $1.weight } }

        mutating func weight() -> Int { Element.isWeighted ? 1 + random.below(9) : 1 }

        func check(_ comment: @autoclosure () -> String) {
            tree.checkInvariants(epochs)
            #expect(Self.content(tree) == model, "\(comment())")
            #expect(tree.count == sum(before: model.count))
            #expect(tree.elementCount == model.count)
        }

        /// The cursor must be where the model's `index` is.
        func check(_ cursor: CountedTree<Element>.Cursor, at index: Int) {
            #expect(cursor.position == sum(before: index))
            #expect(cursor.isAtEnd == (index == model.count))
            if index < model.count {
                #expect(cursor.element.number == model[index].number)
                #expect(cursor.weight == model[index].weight)
            }
            // And its path must be whole.
            var back = cursor
            #expect(back.previous() == (index > 0))
            if index > 0 { #expect(back.element.number == model[index - 1].number) }
            var on = cursor
            on.next()
            #expect(on.isAtEnd == (index + 1 >= model.count))
            if index + 1 < model.count { #expect(on.element.number == model[index + 1].number) }
        }

        func cursor(_ index: Int) -> CountedTree<Element>.Cursor {
            tree.at(sum(before: index)).cursor
        }

        mutating func insertSorted(_ number: Int) {
            let index = model.firstIndex { $0.number >= number } ?? model.count
            let weight = weight()
            let element = Element(number)
            let cursor = tree.insert(element, weight: weight, hint: element.hint, &epochs) {
                $0.number < number
            }
            model.insert(Pair(number: number, weight: weight), at: index)
            check(cursor, at: index)
        }

        mutating func remove(_ index: Int) {
            var cursor = cursor(index)
            let element = tree.remove(at: &cursor, &epochs)
            #expect(element.number == model[index].number)
            model.remove(at: index)
            check(cursor, at: index)
        }

        mutating func removeRange(_ range: Range<Int>) {
            let positions = sum(before: range.lowerBound)..<sum(before: range.upperBound)
            var gone: [Int] = []
            tree.remove(positions, &epochs) { element, _ in gone.append(element.number) }
            #expect(gone == model[range].map(\.number))
            model.removeSubrange(range)
        }

        mutating func freezeOrThaw() {
            if let old = frozen {
                #expect(Self.content(old.tree) == old.model)
                frozen = nil
                epochs.thaw(old.epoch)
                epochs.freeSome(.max)
                #expect(epochs.retiredCount == 0)
            } else {
                frozen = (tree, model, epochs.freeze())
            }
        }
    }

    @Test("agrees with an array when ordered by content", arguments: [1, 2, 3, 4, 5] as [UInt64])
    func sorted(seed: UInt64) {
        Self.sorted(SmallElement.self, seed, steps: 3000, universe: 400)
        Self.sorted(SmallWeightedElement.self, seed, steps: 3000, universe: 400)
        Self.sorted(FullElement.self, seed, steps: 3000, universe: 3000)
        Self.sorted(FullWeightedElement.self, seed, steps: 3000, universe: 3000)
    }

    static func sorted<E: NumberElement>(_: E.Type, _ seed: UInt64, steps: Int, universe: Int) {
        var rig = Rig<E>(seed: seed)
        var limit = 0
        for step in 0..<steps {
            if step % 250 == 0 { limit = rig.random.below(universe) }
            let number = rig.random.below(universe)
            let index = rig.model.firstIndex { $0.number >= number } ?? rig.model.count
            let isThere = index < rig.model.count && rig.model[index].number == number
            let probe = rig.tree.lowerBound(hint: E(number).hint) { $0.number < number }
            rig.check(probe, at: index)
            if isThere {
                if number > limit || rig.random.below(4) == 0 {
                    rig.remove(index)
                } else {
                    var cursor = probe
                    let weight = rig.weight()
                    rig.tree.replace(at: &cursor, with: E(number), weight: weight, &rig.epochs)
                    rig.model[index].weight = weight
                    rig.check(cursor, at: index)
                }
            } else if number <= limit || rig.random.below(4) == 0 {
                rig.insertSorted(number)
            }
            if rig.random.below(100) == 0 { rig.freezeOrThaw() }
            if rig.random.below(100) == 0, !rig.model.isEmpty {
                let low = rig.random.below(rig.model.count)
                let high = min(rig.model.count, low + rig.random.below(rig.model.count / 2 + 2))
                rig.removeRange(low..<high)
            }
            if step % 7 == 0 { rig.check("seed \(seed), step \(step)") }
        }
        if rig.frozen != nil { rig.freezeOrThaw() }
        while !rig.model.isEmpty { rig.remove(rig.random.below(rig.model.count)) }
        rig.check("seed \(seed), emptied")
        #expect(rig.tree.isEmpty && rig.tree.memoryBytes == 0)
    }

    @Test("agrees with an array when ordered by position", arguments: [1, 2, 3] as [UInt64])
    func positional(seed: UInt64) {
        Self.positional(SmallElement.self, seed, hints: false)
        Self.positional(SmallWeightedElement.self, seed, hints: false)
        Self.positional(UnorderedElement.self, seed, hints: true)
    }

    static func positional<E: NumberElement>(_: E.Type, _ seed: UInt64, hints: Bool) {
        var rig = Rig<E>(seed: seed)
        let steps = 4000
        for step in 0..<steps {
            // Numbers rise along the sequence only where hints need it.
            let grows = (step / 500) % 2 == 0
            let index = [0, rig.model.count, rig.random.below(rig.model.count + 1)][
                rig.random.below(3)]
            if rig.random.below(8) < (grows ? 6 : 2) {
                let number = hints ? rig.random.below(1000) : 7
                let pair = Pair(number: number, weight: rig.weight())
                var cursor = rig.cursor(index)
                if index > 0, rig.random.below(2) == 0 {
                    cursor = rig.cursor(index - 1)
                    rig.tree.insert(
                        E(number), weight: pair.weight, after: &cursor, &rig.epochs)
                } else {
                    rig.tree.insert(
                        E(number), weight: pair.weight, before: &cursor, &rig.epochs)
                }
                rig.model.insert(pair, at: index)
                rig.check(cursor, at: index)
            } else if index < rig.model.count {
                rig.remove(index)
            }
            if rig.random.below(50) == 0 { rig.freezeOrThaw() }
            if step % 11 == 0 { rig.check("seed \(seed), step \(step)") }
        }
        if rig.frozen != nil { rig.freezeOrThaw() }
    }

    /// Trees as nested counts: a leaf of so many elements, or a node of such children.
    indirect enum Shape {
        case leaf(Int)
        case inner([Shape])

        func make<E: NumberElement>(_ next: inout Int, _ epoch: UInt32) -> TreeNode<E> {
            switch self {
            case .leaf(let count):
                let leaf = TreeNode<E>.makeLeaf(E.leafCapacity, epoch: epoch)
                for slot in 0..<count {
                    leaf.insertElement(slot, E(next), E.isWeighted ? 1 + next % 4 : 1)
                    next += 10
                }
                return leaf
            case .inner(let children):
                let nodes: [TreeNode<E>] = children.map { $0.make(&next, epoch) }
                let node = TreeNode<E>.makeInner(level: nodes[0].level + 1, epoch: epoch)
                for (slot, child) in nodes.enumerated() { node.insertChild(slot, child) }
                node.sumUp()
                return node
            }
        }
    }

    static func sequences(_ items: [Shape], _ lengths: ClosedRange<Int>) -> [[Shape]] {
        var result: [[Shape]] = []
        var current: [[Shape]] = [[]]
        for length in 1...lengths.upperBound {
            current = current.flatMap { head in items.map { head + [$0] } }
            if lengths.contains(length) { result += current }
        }
        return result
    }

    /// Leaves; all trees of two levels; trees of three levels whose leaves are sparse or full.
    static var shapes: [Shape] {
        let leaves = (1...4).map { Shape.leaf($0) }
        let two = sequences(leaves, 2...4).map { Shape.inner($0) }
        let ends = [Shape.leaf(1), .leaf(4)]
        let middles =
            sequences(ends, 1...2).map { Shape.inner($0) }
            + ends.map { .inner([$0, $0, $0, $0]) }
        return leaves + two + sequences(middles, 2...3).map { .inner($0) }
    }

    static func rig<E: NumberElement>(_: E.Type, _ shape: Shape) -> Rig<E> {
        var rig = Rig<E>(seed: 1)
        var next = 10
        let root: TreeNode<E> = shape.make(&next, rig.epochs.current)
        rig.tree = CountedTree(word: root.address)
        rig.model = Rig<E>.content(rig.tree)
        return rig
    }

    @Test("of every small shape takes an element in, and gives one up, at every place")
    func everyShape() {
        Self.everyShape(SmallElement.self)
        Self.everyShape(SmallWeightedElement.self)
    }

    static func everyShape<E: NumberElement>(_: E.Type) {
        for shape in shapes {
            let count = rig(E.self, shape).model.count
            for index in 0...count {
                for isFrozen in [false, true] {
                    var one = rig(E.self, shape)
                    if isFrozen { one.freezeOrThaw() }
                    one.insertSorted(index * 10 + 5)
                    one.check("\(shape), insert \(index)")
                    if isFrozen { one.freezeOrThaw() }
                    guard index < count else { continue }
                    var two = rig(E.self, shape)
                    if isFrozen { two.freezeOrThaw() }
                    two.remove(index)
                    two.check("\(shape), remove \(index)")
                    if isFrozen { two.freezeOrThaw() }
                }
            }
        }
    }

    @Test("of many small shapes gives up every range")
    func everyRange() {
        Self.everyRange(SmallElement.self, frozen: true)
        Self.everyRange(SmallWeightedElement.self, frozen: false)
    }

    static func everyRange<E: NumberElement>(_: E.Type, frozen: Bool) {
        for (number, shape) in shapes.enumerated() where number % 3 == 0 {
            let count = rig(E.self, shape).model.count
            for low in 0..<count {
                for high in stride(from: low + 1, through: count, by: 1 + number % 2) {
                    var one = rig(E.self, shape)
                    if frozen { one.freezeOrThaw() }
                    one.removeRange(low..<high)
                    one.check("\(shape), remove \(low)..<\(high)")
                    if frozen { one.freezeOrThaw() }
                }
            }
        }
    }

    @Test("keeps full leaves when elements come in order, from either side")
    func inOrder() {
        for isRising in [true, false] {
            var rig = Rig<FullElement>(seed: 1)
            for step in 0..<10_000 {
                let number = isRising ? step : 10_000 - step
                rig.tree.insert(FullElement(number), hint: UInt64(number) / 3, &rig.epochs) {
                    $0.number < number
                }
            }
            rig.tree.checkInvariants(rig.epochs)
            #expect(rig.tree.count == 10_000)
            #expect(rig.tree.memoryBytes < 10_000 * 10)
        }
    }

    @Test("of few elements takes little memory")
    func little() {
        var rig = Rig<FullElement>(seed: 1)
        for number in 0..<62 {
            rig.tree.append(FullElement(number), &rig.epochs)
            #expect(rig.tree.memoryBytes <= max(80, (number + 3) * 16 + 24))
        }
    }
}

/// Has no order of its own, as the elements of a list.
struct UnorderedElement: NumberElement {
    let word: UInt64
    var hint: UInt64 { 0 }
    static var isWeighted: Bool { true }
    static var leafCapacity: Int { 4 }
    static var innerCapacity: Int { 4 }
}

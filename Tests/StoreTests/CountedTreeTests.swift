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
        /// Released elements: each must be released once.
        var frozen: (tree: CountedTree<Element>, model: [Pair])?

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
                epochs.thaw()
                epochs.freeSome(.max)
                #expect(epochs.retiredCount == 0)
            } else {
                frozen = (tree, model)
                epochs.freeze()
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
}

import HoldfastBytes
import Log
import Testing

@testable import Replication

@Suite("where histories begin in the stream")
struct ResumptionTests {
    private static let ids = (1...20).map { HistoryID(UInt64($0), 0, 0) }
    private let a = ids[0]
    private let b = ids[1]
    private let c = ids[2]

    /// A log with three histories, the second of which ended at 170.
    private var histories: Histories {
        var histories = Histories(a, from: .zero)
        histories.begin(b, at: LSN(150))
        histories.begin(c, at: LSN(170))
        return histories
    }

    private func feed(readsForks: Bool = true) -> ReplicaFeed {
        let feed = ReplicaFeed()
        feed.followsHistories = true
        feed.readsForks = readsForks
        return feed
    }

    private func answer(
        to id: HistoryID, in histories: Histories, _ feed: ReplicaFeed
    ) -> String {
        id.description.withSlice { Resumption(from: $0, in: histories, for: feed).line }
    }

    private func parsed(_ line: String, end: Int) -> Resumption? {
        let words = line.split(separator: " ").map { Array($0.utf8) }
        func slices(_ index: Int, _ found: [ByteSlice]) -> Resumption? {
            if index == words.count { return Resumption(found[...], end: LSN(UInt64(end))) }
            return words[index].withSlice { slices(index + 1, found + [$0]) }
        }
        return slices(1, [])
    }

    @Test("a replica that asks for it hears of each history that begins further on")
    func told() {
        #expect(answer(to: a, in: histories, feed()) == "CONTINUE \(c) \(b) 150 \(c) 170")
        #expect(answer(to: b, in: histories, feed()) == "CONTINUE \(c) \(c) 170")
        #expect(answer(to: c, in: histories, feed()) == "CONTINUE \(c)")
        #expect(answer(to: a, in: histories, feed(readsForks: false)) == "CONTINUE \(c)")
        #expect(answer(to: a, in: histories, ReplicaFeed()) == "CONTINUE")
    }

    @Test("histories without a record are left out, and more than a line holds all are")
    func many() {
        var empty = histories
        empty.begin(Self.ids[3], at: LSN(170))
        #expect(
            answer(to: a, in: empty, feed())
                == "CONTINUE \(Self.ids[3]) \(b) 150 \(Self.ids[3]) 170")
        var long = Histories(a, from: .zero)
        for index in 1...12 { long.begin(Self.ids[index], at: LSN(UInt64(100 * index))) }
        let line = answer(to: a, in: long, feed())
        #expect(line.utf8.count < LinkHandshake.lineBytesMax)
        #expect(parsed(line, end: 7)?.ahead.count == 12)
        long.begin(Self.ids[13], at: LSN(2_000))
        #expect(answer(to: a, in: long, feed()) == "CONTINUE \(Self.ids[13])")
    }

    @Test("what is said is read as it was meant")
    func read() {
        #expect(parsed("CONTINUE", end: 9) == Resumption(nil))
        #expect(parsed("CONTINUE \(c)", end: 9) == Resumption(c))
        #expect(
            parsed("CONTINUE \(c) \(b) 150 \(c) 170", end: 100)
                == Resumption(c, ahead: [.init(b, from: LSN(150)), .init(c, from: LSN(170))]))
    }

    @Test(
        "nonsense is refused",
        arguments: [
            "x", "C B", "C B x", "C B -1", "C B 150", "C B 170 C 150", "C C 99", "C C 170 B",
            "C C 9223372036854775807",
        ])
    func nonsense(pattern: String) {
        let line = pattern.replacing("C", with: "\(c)").replacing("B", with: "\(b)")
        #expect(parsed("CONTINUE \(line)", end: 100) == nil)
    }

    @Test("a replica begins each history where the primary did")
    func begun() {
        var claim = StreamClaim()
        let mine = Histories(a, from: .zero)
        let resumption = Resumption(
            c, ahead: [.init(b, from: LSN(150)), .init(c, from: LSN(170))])
        #expect(claim.resume(resumption, in: mine, end: LSN(100)) == a)
        #expect(claim.bytes(from: LSN(100)) == 50)
        #expect(claim.history(beginningAt: LSN(149)) == nil)
        #expect(claim.history(beginningAt: LSN(150)) == b)
        #expect(claim.bytes(from: LSN(160)) == 10)
        #expect(claim.history(beginningAt: LSN(170)) == c)
        #expect(claim.bytes(from: LSN(170)) == .max)
        // At its very beginning, and without the primary's word.
        #expect(claim.resume(resumption, in: mine, end: LSN(150)) == b)
        #expect(claim.resume(Resumption(c), in: mine, end: LSN(100)) == c)
        #expect(claim.resume(Resumption(nil), in: mine, end: LSN(100)) == a)
        #expect(claim.bytes(from: LSN(100)) == .max)
        // Another primary may say something else.
        _ = claim.resume(resumption, in: mine, end: LSN(100))
        claim.streamEnds()
        #expect(claim.bytes(from: LSN(100)) == .max)
    }
}

@Suite("what a replica may ask for and say")
struct StreamClaimTests {
    private let own = HistoryID(1, 0, 0)
    private let other = HistoryID(2, 0, 0)

    @Test("a log that others may know is gone on with, even without a record; any other isn't")
    func place() {
        var claim = StreamClaim()
        let histories = Histories(own, from: .zero)
        #expect(claim.place(in: histories, end: .zero) == nil)
        #expect(claim.place(in: histories, end: LSN(5))?.end == LSN(5))
        claim.streamBegins()
        #expect(claim.place(in: histories, end: .zero)?.history == own)
        claim.needsFullResync = true
        #expect(claim.place(in: histories, end: LSN(5)) == nil)
        claim.streamBegins()
        #expect(!claim.knowsHistory)
    }

    @Test("only an empty data set of an unknown history is refused, and only if there is data")
    func refusal() {
        let histories = Histories(own, from: LSN(7))
        func refuses(_ coming: Int, _ history: HistoryID, _ held: Int) -> Bool {
            StreamClaim.refusesData(
                keysComing: coming, of: history, keysHeld: held, histories: histories)
        }
        #expect(refuses(0, other, 1))
        #expect(!refuses(0, other, 0))
        #expect(!refuses(1, other, 1))
        #expect(!refuses(0, own, 1))
    }

    @Test("no more is acknowledged than is applied, nor than a crash would leave")
    func acknowledgement() {
        func words(_ applied: UInt64, _ safe: UInt64, _ durable: UInt64?) -> [String] {
            StreamClaim.acknowledgement(
                applied: LSN(applied), acknowledged: LSN(safe), durable: durable.map { LSN($0) })
        }
        #expect(words(10, 8, 6) == ["REPLCONF", "ACK", "8", "FACK", "6"])
        #expect(words(5, 8, 6) == ["REPLCONF", "ACK", "5", "FACK", "5"])
        #expect(words(5, .max, nil) == ["REPLCONF", "ACK", "5"])
    }
}

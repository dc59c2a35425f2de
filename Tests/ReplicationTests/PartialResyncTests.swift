import HoldfastBytes
import Log
import Testing

@testable import Replication

@Suite("PSYNC's answer")
struct PartialResyncTests {
    private let old = HistoryID(1, 1, 1)
    private let current = HistoryID(0xabc, 2, 2)

    /// A log of 1,000 bytes: the old history up to 600, the current one after it; kept from 200 on.
    private func answer(
        _ id: String, _ offset: Int64, followed: StreamClaim? = nil
    ) -> ResyncAnswer {
        var histories = Histories(old, from: .zero)
        histories.begin(current, at: LSN(600))
        return id.withSlice {
            PartialResync.answer(
                id: $0, offset: offset, histories: histories, end: LSN(1_000), followed: followed
            ) {
                $0 >= LSN(200)
            }
        }
    }

    @Test("each offset within the history in force goes on, up to the end and not beyond")
    func inForce() {
        let id = current.description
        #expect(answer(id, 1_001) == .goOn(from: LSN(1_000)))
        #expect(answer(id, 1_002) == .full(.beyondEnd(LSN(1_000))))
        #expect(answer(id, 601) == .goOn(from: LSN(600)))
        // Before its beginning the bytes are those of the history before.
        #expect(answer(id, 301) == .goOn(from: LSN(300)))
        #expect(answer(id, 201) == .goOn(from: LSN(200)))
        #expect(answer(id, 200) == .full(.gone))
    }

    @Test("the history before is valid up to where it ended")
    func earlier() {
        #expect(answer(old.description, 601) == .goOn(from: LSN(600)))
        #expect(answer(old.description, 602) == .full(.beyondEnd(LSN(600))))
        #expect(answer(old.description, 201) == .goOn(from: LSN(200)))
    }

    @Test("what names no history of this log, or no byte, gets everything")
    func strangers() {
        #expect(answer("?", -1) == .full(.asked))
        #expect(answer(HistoryID(9, 9, 9).description, 300) == .full(.unknownHistory))
        #expect(answer("", 300) == .full(.unknownHistory))
        #expect(answer(String(repeating: "z", count: 40), 300) == .full(.unknownHistory))
        #expect(answer(current.description + "0", 300) == .full(.unknownHistory))
        #expect(answer(current.description, 0) == .full(.gone))
        #expect(answer(current.description, .min) == .full(.gone))
        #expect(answer(current.description, .max) == .full(.beyondEnd(LSN(1_000))))
    }

    @Test("a replica that hasn't got so far yet sends nobody everything for it")
    func behind() {
        var claim = StreamClaim()
        #expect(answer(current.description, 1_002, followed: claim) == .notYet)
        #expect(answer(current.description, 1_001, followed: claim) == .goOn(from: LSN(1_000)))
        // Nobody will ever have these.
        #expect(answer(old.description, 602, followed: claim) == .full(.beyondEnd(LSN(600))))
        #expect(answer(current.description, .max, followed: claim) == .full(.beyondEnd(LSN(1_000))))
        // A history that the stream has not come to.
        let next = HistoryID(3, 3, 3)
        #expect(answer(next.description, 1_200, followed: claim) == .full(.unknownHistory))
        _ = claim.resume(
            Resumption(next, ahead: [.init(next, from: LSN(1_100))]),
            in: Histories(current, from: .zero), end: LSN(1_000))
        #expect(answer(next.description, 1_200, followed: claim) == .notYet)
    }

    @Test("upper and lower case are the same id")
    func letters() {
        #expect(answer(current.description.uppercased(), 701) == .goOn(from: LSN(700)))
    }
}

@Suite("a replica as its primary sees it")
struct ReplicaFeedTests {
    @Test("the stream begins with the first ACK after a snapshot with a mark")
    func firstAck() {
        let feed = ReplicaFeed()
        feed.phase = .receiving
        feed.cursor = LSN(100)
        #expect(!feed.isOnline)
        feed.snapshotSent(endsByMark: true)
        #expect(feed.phase == .loading && feed.isOnline)
        #expect(feed.acknowledge(100, durable: nil, end: LSN(150)) == .isReady)
        #expect(feed.phase == .online)
        #expect(feed.acknowledge(150, durable: 120, end: LSN(150)) == .taken)
        #expect(feed.acknowledged == LSN(150))
        #expect(feed.durable == LSN(120))
    }

    @Test("an ACK that comes before the sender knows that all is sent counts")
    func earlyAck() {
        let feed = ReplicaFeed()
        feed.phase = .receiving
        #expect(feed.acknowledge(0, durable: nil, end: .zero) == .taken)
        feed.snapshotSent(endsByMark: true)
        #expect(feed.phase == .online)
    }

    @Test("one whose snapshot had a length is online at once")
    func length() {
        let feed = ReplicaFeed()
        feed.phase = .receiving
        feed.snapshotSent(endsByMark: false)
        #expect(feed.phase == .online)
    }

    @Test("numbers that go back mean nothing, and those beyond the end are nonsense")
    func numbers() {
        let feed = ReplicaFeed()
        feed.phase = .online
        _ = feed.acknowledge(100, durable: 50, end: LSN(200))
        #expect(feed.acknowledge(90, durable: 40, end: LSN(200)) == .taken)
        #expect(feed.acknowledge(-1, durable: .min, end: LSN(200)) == .taken)
        #expect(feed.acknowledged == LSN(100))
        #expect(feed.durable == LSN(50))
        #expect(feed.acknowledge(201, durable: nil, end: LSN(200)) == .nonsense)
        #expect(feed.acknowledge(.max, durable: nil, end: LSN(200)) == .nonsense)
        #expect(feed.acknowledge(100, durable: 201, end: LSN(200)) == .nonsense)
        #expect(feed.acknowledged == LSN(100))
    }

    @Test("it is good while it is online and was heard of lately")
    func good() {
        let feed = ReplicaFeed()
        feed.heardAt = 100
        #expect(!feed.isGood(now: 100, lagMax: 10))
        feed.phase = .catchingUp
        #expect(feed.isGood(now: 110, lagMax: 10))
        #expect(!feed.isGood(now: 111, lagMax: 10))
    }
}

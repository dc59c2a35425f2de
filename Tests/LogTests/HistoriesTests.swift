import HoldfastBytes
import HoldfastPlatform
import Testing

@testable import Log

@Suite("Histories")
struct HistoriesTests {
    private let a = HistoryID(1, 1, 1)
    private let b = HistoryID(2, 2, 2)
    private let c = HistoryID(3, 3, 3)

    @Test("each history ends where the next begins, the last with the log")
    func ends() {
        var all = Histories(a, from: .zero)
        #expect(all.previous == nil)
        all.begin(b, at: LSN(100))
        all.begin(c, at: LSN(100))
        #expect(all.end(of: a, now: LSN(150)) == LSN(100))
        #expect(all.end(of: b, now: LSN(150)) == LSN(100))
        #expect(all.end(of: c, now: LSN(150)) == LSN(150))
        #expect(all.end(of: HistoryID(4, 4, 4), now: LSN(150)) == nil)
        #expect(all.previous?.id == b)
        #expect(all.current == c)
    }

    @Test("what is offered is the newest history with a record in it")
    func offered() {
        var all = Histories(a, from: .zero)
        #expect(all.offered(at: .zero) == a)
        all.begin(b, at: LSN(100))
        #expect(all.offered(at: LSN(100)) == a)
        #expect(all.offered(at: LSN(101)) == b)
    }

    @Test("a history that comes back counts up to its last end")
    func again() {
        var all = Histories(a, from: .zero)
        all.begin(b, at: LSN(10))
        all.begin(a, at: LSN(10))
        #expect(all.end(of: a, now: LSN(50)) == LSN(50))
        #expect(all.end(of: b, now: LSN(50)) == LSN(10))
    }

    @Test("a manifest gives back which file is of which history")
    func manifest() throws {
        var manifest = Manifest(history: a, durable: LSN(5))
        manifest.lines = [
            .init(name: "x.1.base.rdb", sequence: 1, type: .base, firstLSN: LSN(5)),
            .init(name: "x.1.incr.aof", sequence: 1, type: .incremental, firstLSN: LSN(5)),
        ]
        manifest.begin(b)
        manifest.lines.append(
            .init(name: "x.2.incr.aof", sequence: 2, type: .incremental, firstLSN: LSN(9)))
        manifest.begin(c)
        manifest.lines.append(
            .init(name: "x.3.incr.aof", sequence: 3, type: .incremental, firstLSN: LSN(9)))
        var text = ByteBuffer()
        manifest.append(to: &text)
        let read = try Manifest(parsing: text.slice)
        #expect(read == manifest)
        #expect(
            read.histories?.spans == [
                .init(a, from: LSN(5)), .init(b, from: LSN(9)), .init(c, from: LSN(9)),
            ])
        #expect(read.lines.map(\.history) == [a, a, b, nil])
    }
}

import HoldfastBytes
import Log
import Replication
import Testing

@Suite("Backlog")
struct BacklogTests {
    /// The byte of the stream at each LSN.
    private static func byte(_ lsn: Int) -> UInt8 {
        UInt8(truncatingIfNeeded: lsn &* 167 &+ lsn >> 8)
    }

    private static func fill(_ backlog: inout Backlog, _ count: Int) {
        let start = Int(backlog.end.value)
        let bytes = (start..<start + count).map(byte)
        bytes.withSlice { backlog.append($0) }
    }

    private static func read(_ backlog: Backlog, from start: LSN, upTo end: LSN) -> [UInt8] {
        var result: [UInt8] = []
        var at = start
        while true {
            let part = backlog.slice(from: at, upTo: end)
            if part.isEmpty { return result }
            result += part.copyToArray()
            at = at.advanced(by: part.count)
        }
    }

    @Test("an empty backlog begins and ends where the stream goes on")
    func empty() {
        let backlog = Backlog(at: LSN(1_000), bytesWanted: 100)
        #expect(backlog.first == LSN(1_000))
        #expect(backlog.end == LSN(1_000))
        #expect(backlog.slice(from: LSN(1_000), upTo: LSN(2_000)).isEmpty)
        #expect(backlog.slice(from: LSN(999), upTo: LSN(2_000)).isEmpty)
    }

    @Test("what is in it reads as it was written, from each LSN", arguments: [1, 7, 4_096, 50_000])
    func everyStart(step: Int) {
        var backlog = Backlog(at: LSN(77), bytesWanted: 1 << 20)
        while backlog.count < 120_000 { Self.fill(&backlog, step) }
        for start in stride(from: 77, to: Int(backlog.end.value), by: 997) {
            let bytes = Self.read(backlog, from: LSN(UInt64(start)), upTo: backlog.end)
            #expect(bytes == (start..<Int(backlog.end.value)).map(Self.byte))
        }
        #expect(Self.read(backlog, from: LSN(100), upTo: LSN(103)) == (100..<103).map(Self.byte))
    }

    @Test("at least the wanted bytes stay, and not much more")
    func trimming() {
        var backlog = Backlog(at: .zero, bytesWanted: 1 << 20)
        for _ in 0..<4_000 {
            Self.fill(&backlog, 1_111)
            backlog.trim()
            #expect(backlog.count >= min(Int(backlog.end.value), 1 << 20))
            #expect(backlog.capacity <= (1 << 20) + (1 << 18))
        }
        #expect(backlog.slice(from: .zero, upTo: backlog.end).isEmpty)
        #expect(
            Self.read(backlog, from: backlog.first, upTo: backlog.end).count == backlog.count)
    }

    @Test("what somebody needs stays whatever the size")
    func keeping() {
        var backlog = Backlog(at: .zero, bytesWanted: 1_000)
        for _ in 0..<100 {
            Self.fill(&backlog, 10_000)
            backlog.trim(keeping: LSN(5_000))
        }
        #expect(backlog.first <= LSN(5_000))
        backlog.trim()
        #expect(backlog.first > LSN(900_000))
    }
}

import Testing

@testable import Log

/// The whole table: each stop, in the newest and an older file, ours and plain, at and below the durable
/// LSN, with `aof-load-truncated` yes and no.
@Suite("the decision table of a file's end")
struct TailVerdictTests {
    private enum Outcome { case clean, trimZeros, cut, refuseUnfinished, corruption }

    private func outcome(_ verdict: TailVerdict) -> Outcome {
        switch verdict {
        case .clean: .clean
        case .trimZeros: .trimZeros
        case .cut: .cut
        case .refuseUnfinished: .refuseUnfinished
        case .corruption: .corruption
        }
    }

    private func row(
        _ stop: ReadStop, newest: Bool, ours: Bool, durable: UInt64, truncated: Bool
    ) -> Outcome {
        outcome(
            TailVerdict(
                TailFacts(
                    isNewest: newest, isSegment: ours, stop: stop, stopLSN: LSN(100),
                    durable: LSN(durable), loadsTruncated: truncated)))
    }

    /// For one stop: the newest file at the durable LSN, the newest below it, an older file; each for
    /// (ours, truncated yes), (ours, no), (plain, yes), (plain, no).
    private func expect(
        _ stop: ReadStop, newest: [Outcome], below: [Outcome], older: [Outcome],
        _ location: SourceLocation = #_sourceLocation
    ) {
        for (column, kind) in [(true, true), (true, false), (false, true), (false, false)]
            .enumerated()
        {
            let (ours, truncated) = kind
            for durable in [0, 99, 100] as [UInt64] {
                #expect(
                    row(stop, newest: true, ours: ours, durable: durable, truncated: truncated)
                        == newest[column], "column \(column)", sourceLocation: location)
                #expect(
                    row(stop, newest: false, ours: ours, durable: durable, truncated: truncated)
                        == older[column], "column \(column)", sourceLocation: location)
            }
            for durable in [101, UInt64.max] {
                #expect(
                    row(stop, newest: true, ours: ours, durable: durable, truncated: truncated)
                        == below[column], "column \(column)", sourceLocation: location)
                #expect(
                    row(stop, newest: false, ours: ours, durable: durable, truncated: truncated)
                        == older[column], "column \(column)", sourceLocation: location)
            }
        }
    }

    private func all(_ outcome: Outcome) -> [Outcome] { [outcome, outcome, outcome, outcome] }

    @Test("an end after something whole is clean, unless durable bytes are missing")
    func end() {
        expect(.end, newest: all(.clean), below: all(.corruption), older: all(.clean))
    }

    @Test("whole plain commands after the last batch are redis-server's")
    func foreignEnd() {
        expect(.foreignEnd, newest: all(.clean), below: all(.corruption), older: all(.clean))
    }

    @Test("zeros are preallocated room in our newest, a crash's mark in a plain newest")
    func zeros() {
        expect(
            .zeros, newest: [.trimZeros, .trimZeros, .cut, .refuseUnfinished],
            below: all(.corruption), older: all(.corruption))
    }

    @Test("a bad batch is a torn tail only in the newest file at or beyond all that was durable")
    func bad() {
        expect(.bad("x"), newest: all(.cut), below: all(.corruption), older: all(.corruption))
    }

    @Test("an unfinished command is cut only in the newest file and where the configuration allows")
    func unfinished() {
        expect(
            .unfinished, newest: [.cut, .refuseUnfinished, .cut, .refuseUnfinished],
            below: all(.corruption),
            older: [.corruption, .corruption, .refuseUnfinished, .refuseUnfinished])
    }

    @Test("garbage among plain commands is corruption everywhere")
    func garbage() {
        expect(
            .garbage("x"), newest: all(.corruption), below: all(.corruption),
            older: all(.corruption))
    }
}

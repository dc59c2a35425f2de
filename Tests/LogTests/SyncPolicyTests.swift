import Testing

@testable import Log

@Suite("When to sync and when writers wait")
struct SyncPolicyTests {
    private func schedule(_ policy: SyncPolicy) -> SyncSchedule {
        SyncSchedule(
            policy: policy, unsyncedBytesMax: 1_000, unsyncedNanosecondsMax: 1_000_000_000)
    }

    private func written(_ bytes: Int, at time: UInt64, running: Bool = false) -> SyncSchedule.Facts
    {
        .init(
            unsyncedBytes: bytes, oldestUnsyncedAt: time, oldestWrittenAt: time,
            isSyncRunning: running)
    }

    @Test("with nothing unsynced there is nothing to do", arguments: SyncPolicy.allCases)
    func idle(policy: SyncPolicy) {
        #expect(schedule(policy).decide(.init(queuedBytes: 10), now: 5) == .idle)
        #expect(!schedule(policy).mustHoldWriters(.init(), now: 5))
    }

    @Test("everysec syncs at half the age")
    func everysecAge() {
        let facts = written(1, at: 100)
        #expect(schedule(.everysec).decide(facts, now: 100) == .wait(until: 500_000_100))
        #expect(schedule(.everysec).decide(facts, now: 500_000_100) == .syncNow)
    }

    @Test("everysec and no sync at half the bytes", arguments: [SyncPolicy.everysec, .no])
    func halfTheBytes(policy: SyncPolicy) {
        #expect(schedule(policy).decide(written(499, at: 0), now: 0) != .syncNow)
        #expect(schedule(policy).decide(written(500, at: 0), now: 0) == .syncNow)
    }

    @Test("never two syncs at once", arguments: SyncPolicy.allCases)
    func oneAtATime(policy: SyncPolicy) {
        let facts = written(5_000, at: 0, running: true)
        #expect(schedule(policy).decide(facts, now: 9_000_000_000) == .idle)
    }

    @Test("a request syncs at once under every policy", arguments: SyncPolicy.allCases)
    func request(policy: SyncPolicy) {
        var facts = written(1, at: 0)
        facts.isSyncRequested = true
        #expect(schedule(policy).decide(facts, now: 0) == .syncNow)
    }

    @Test("everysec holds writers at the age and at the bytes")
    func everysecHolds() {
        let all = schedule(.everysec)
        #expect(!all.mustHoldWriters(written(999, at: 0, running: true), now: 999_999_999))
        #expect(all.mustHoldWriters(written(1, at: 0, running: true), now: 1_000_000_000))
        #expect(all.mustHoldWriters(written(1_000, at: 0), now: 0))
        #expect(
            all.mustHoldWriters(.init(queuedBytes: 600, unsyncedBytes: 400), now: 0))
    }

    @Test("no holds writers only for the queue, or when healing would need too much memory")
    func noHolds() {
        #expect(!schedule(.no).mustHoldWriters(written(3_999, at: 0), now: 60_000_000_000))
        #expect(schedule(.no).mustHoldWriters(written(4_000, at: 0), now: 0))
        #expect(schedule(.no).mustHoldWriters(.init(queuedBytes: 1_000), now: 0))
    }

    @Test("always syncs what another policy left")
    func alwaysTakesOver() {
        #expect(schedule(.always).decide(written(1, at: 0), now: 0) == .syncNow)
        #expect(!schedule(.always).mustHoldWriters(written(1, at: 0), now: 9_000_000_000))
        #expect(schedule(.always).mustHoldWriters(.init(queuedBytes: 1_000), now: 0))
    }
}

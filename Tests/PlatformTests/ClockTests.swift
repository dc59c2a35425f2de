import HoldfastPlatform
import TestSupport
import Testing

@Suite struct GuardedClockTests {
    private static let start: Int64 = 1_700_000_000_000

    /// A guarded clock over a simulated one.
    private final class Rig {
        let clock = SimClock(wallMilliseconds: start)
        var guarded: GuardedClock

        init(jumpLimit: Int64 = 60_000, notBefore: Int64 = 0) {
            guarded = GuardedClock(clock, jumpLimit: jumpLimit, notBefore: notBefore)
        }

        func read() -> GuardedClock.Report? {
            guarded.read(clock, nanoseconds: clock.monotonicNanoseconds)
        }

        /// Milliseconds since the start, as the guarded clock sees it.
        var elapsed: Int64 { guarded.milliseconds - start }

        func jump(by milliseconds: Int64) {
            clock.jumpWall(to: clock.wallMilliseconds + milliseconds)
        }
    }

    @Test("time that passes is taken as it is, however long nobody looked")
    func passes() {
        let rig = Rig()
        for step in [0, 1, 999, 59_999, 86_400_000] {
            let before = rig.elapsed
            rig.clock.advance(milliseconds: step)
            #expect(rig.read() == nil)
            #expect(rig.elapsed == before + Int64(step))
        }
    }

    @Test("a jump ahead within the limit is taken")
    func smallJump() {
        let rig = Rig()
        rig.jump(by: 60_000)
        #expect(rig.read() == nil)
        #expect(rig.elapsed == 60_000)
    }

    @Test("a larger jump is reported once and held, while time goes on")
    func heldJump() {
        let rig = Rig()
        rig.clock.advance(milliseconds: 10)
        rig.jump(by: 60_001)
        #expect(rig.read() == .heldJump(60_001))
        #expect(rig.elapsed == 10)
        #expect(rig.guarded.held == 60_001)
        rig.clock.advance(milliseconds: 1_000)
        #expect(rig.read() == nil)
        #expect(rig.elapsed == 1_010)
    }

    @Test("a held jump is taken once the limit allows it")
    func acceptedJump() {
        let rig = Rig()
        rig.jump(by: 3_600_000)
        #expect(rig.read() == .heldJump(3_600_000))
        rig.guarded.jumpLimit = 0
        rig.guarded.acceptJump()
        rig.clock.advance(milliseconds: 5)
        #expect(rig.read() == nil)
        #expect(rig.elapsed == 3_600_005)
        #expect(rig.guarded.held == 0)
    }

    @Test("with limit 0 any jump is taken")
    func noLimit() {
        let rig = Rig(jumpLimit: 0)
        rig.jump(by: 1 << 40)
        #expect(rig.read() == nil)
        #expect(rig.elapsed == 1 << 40)
    }

    @Test("a clock that jumped and is put right goes on as if nothing had been")
    func jumpTakenBack() {
        let rig = Rig()
        rig.jump(by: 3_600_000)
        #expect(rig.read() == .heldJump(3_600_000))
        rig.clock.advance(milliseconds: 1_000)
        rig.jump(by: -3_600_000)
        #expect(rig.read() == nil)
        #expect(rig.elapsed == 1_000)
        #expect(rig.guarded.held == 0)
        rig.clock.advance(milliseconds: 1_000)
        #expect(rig.read() == nil)
        #expect(rig.elapsed == 2_000)
    }

    @Test("a clock that goes back by more than it had jumped lets time stand still for the rest")
    func backBeyondJump() {
        let rig = Rig()
        rig.jump(by: 100_000)
        #expect(rig.read() == .heldJump(100_000))
        rig.jump(by: -101_000)
        #expect(rig.read() == .wentBack(1_000))
        #expect(rig.elapsed == 0)
        rig.clock.advance(milliseconds: 1_500)
        #expect(rig.read() == nil)
        #expect(rig.elapsed == 500)
    }

    @Test(
        "when the clock goes back, time stands still until it has caught up, and that is said once")
    func wentBack() {
        let rig = Rig()
        rig.jump(by: -10_000)
        #expect(rig.read() == .wentBack(10_000))
        rig.clock.advance(milliseconds: 9_000)
        #expect(rig.read() == nil)
        #expect(rig.elapsed == 0)
        rig.clock.advance(milliseconds: 2_000)
        #expect(rig.read() == nil)
        #expect(rig.elapsed == 1_000)
        rig.jump(by: -500)
        #expect(rig.read() == .wentBack(500))
    }

    @Test("a few milliseconds back are no news")
    func slew() {
        let rig = Rig()
        rig.jump(by: -100)
        #expect(rig.read() == nil)
        #expect(rig.elapsed == 0)
    }

    @Test("time begins no earlier than what the log has seen")
    func notBefore() {
        let rig = Rig(notBefore: Self.start + 5_000)
        #expect(rig.elapsed == 5_000)
        rig.clock.advance(milliseconds: 4_000)
        #expect(rig.read() == .wentBack(1_000))
        #expect(rig.elapsed == 5_000)
    }
}

@Suite struct TicksTests {
    @Test("ticks never go back, and a scale takes its measure only after a while")
    func scale() {
        let first = Ticks.now()
        #expect(Ticks.now() >= first)
        let clock = SimClock()
        var scale = Ticks.Scale(clock)
        let guess = scale.ticksPerMicrosecond
        #expect(guess > 0)
        clock.advance(milliseconds: 10)
        scale.calibrate(clock)
        #expect(scale.ticksPerMicrosecond == guess, "10 ms are too short")
        #expect(scale.microseconds(0) == 0)
        #expect(scale.microseconds(UInt64(guess) * 7) == 7)
        clock.advance(milliseconds: 1)
        scale.calibrate(clock)
        #expect(scale.ticksPerMicrosecond > 0)
        #expect(scale.microseconds(.max) > 0, "no number of ticks is too large")
        // Hardly a tick in an hour: what the clock says may be that wrong.
        clock.advance(milliseconds: 3_600_000)
        scale.calibrate(clock)
        #expect(scale.ticksPerMicrosecond < 1)
        #expect(scale.microseconds(.max) == .max)
        #expect(scale.ticks(.max) > 0)
        #expect(scale.ticks(0) == 0)
    }
}

/// What an entry's 24 access bits mean: with an LRU policy (or none) the second of the last access, with an
/// LFU policy 16 bits of minutes and an 8-bit logarithmic counter. The arithmetic is Redis's, so that OBJECT
/// IDLETIME and OBJECT FREQ show what its users expect.
public enum AccessClock {
    private static let mask: UInt32 = (1 << 24) - 1
    /// What a new key's LFU counter begins with, lest it be evicted at once.
    private static let initialCount: UInt32 = 5

    /// What a key made now gets.
    public static func now(milliseconds: Int64, _ limits: EngineLimits) -> UInt32 {
        if limits.countsAccesses { return minutes(milliseconds) << 8 | initialCount }
        return UInt32(truncatingIfNeeded: milliseconds / 1000) & mask
    }

    /// What a key that comes from a snapshot gets, if the snapshot says what the policy in force goes by.
    public static func loaded(
        idleSeconds: UInt64?, frequency: UInt8?, milliseconds: Int64, _ limits: EngineLimits
    ) -> UInt32? {
        if limits.countsAccesses {
            return frequency.map { minutes(milliseconds) << 8 | UInt32($0) }
        }
        return idleSeconds.map { seconds in
            // Longer than the clock goes round is as long as it does.
            let idle = UInt32(min(seconds, UInt64(mask)))
            return (UInt32(truncatingIfNeeded: milliseconds / 1000) &- idle) & mask
        }
    }

    private static func minutes(_ milliseconds: Int64) -> UInt32 {
        UInt32(truncatingIfNeeded: milliseconds / 60_000) & 0xFFFF
    }

    /// A key's bits after one more access.
    @inline(__always)
    static func touched(_ access: UInt32, _ now: UInt32, _ limits: EngineLimits) -> UInt32 {
        if _fastPath(!limits.countsAccesses) { return now }
        return counted(access, now, limits)
    }

    private static func counted(_ access: UInt32, _ now: UInt32, _ limits: EngineLimits) -> UInt32 {
        var count = decayed(access, now, limits)
        if count < 255 {
            let base = Double(max(Int(count) - Int(initialCount), 0))
            let chance = 1.0 / (base * Double(limits.lfuLogFactor) + 1)
            if Double.random(in: 0..<1) < chance { count += 1 }
        }
        return (now >> 8 & 0xFFFF) << 8 | count
    }

    /// The counter, less one for every decay time that has passed.
    static func decayed(_ access: UInt32, _ now: UInt32, _ limits: EngineLimits) -> UInt32 {
        let count = access & 0xFF
        guard limits.lfuDecayMinutes > 0 else { return count }
        let elapsed = Int((now >> 8) &- (access >> 8) & 0xFFFF)
        return UInt32(max(Int(count) - elapsed / limits.lfuDecayMinutes, 0))
    }

    /// Seconds since the last access.
    static func idleSeconds(_ access: UInt32, _ now: UInt32) -> Int64 {
        Int64((now &- access) & mask)
    }
}

internal import HoldfastPlatform
internal import Log

/// The log as the command thread sees it: what to do with a turn's effects, and what a reply may rely on.
struct Durability: Sendable {
    /// Nil with `appendonly no`: effects go nowhere, and every reply may leave at once.
    let writer: LogWriter?
    var policy: SyncPolicy
    /// How the log was found at the start.
    var recovery: RecoverySettings?
    /// Keeps other servers out of the folder while we live.
    var lock: (any File)?
    /// There is to be a log, and it could neither be begun anew nor gone on with: no write may be acknowledged.
    var isLost = false

    /// Everything before this LSN is as safe as the policy promises: on stable storage in `always`, in the
    /// kernel's hands otherwise.
    var acknowledged: LSN {
        guard let writer else { return LSN(UInt64.max) }
        return policy == .always ? writer.watermarks.durable : writer.watermarks.written
    }

    func submit(_ buffer: inout LogBuffer, inlineAllowed: Bool) {
        writer?.submit(&buffer, inlineAllowed: inlineAllowed)
    }
}

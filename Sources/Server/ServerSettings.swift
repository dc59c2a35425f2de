internal import Engine

/// The settings that the command loop asks for while it serves, kept at hand in their final form.
struct ServerSettings {
    var clientsMax = 10_000
    var idleTimeoutSeconds = 0
    var keepAliveSeconds = 300
    var isProtected = true
    var queryBufferMax = 1 << 30
    var outputLimits = OutputLimits(hard: 0, soft: 0, softSeconds: 0)
    /// The same for sessions that listen to channels.
    var pubSubOutputLimits = OutputLimits(hard: 0, soft: 0, softSeconds: 0)
    /// The same for replicas, where there is no log that they could be served from.
    var replicaOutputLimits = OutputLimits(hard: 0, soft: 0, softSeconds: 0)
    /// `notify-keyspace-events`
    var keyEvents: KeyEventKinds = []
    /// `tracking-table-max-keys`; 0 for no limit.
    var trackedKeysMax = 1_000_000
    /// µs; below 0: off.
    var slowLogMicroseconds: Int64 = 10_000
    var latencyThresholdMilliseconds: Int64 = 0
    var tracksLatency = true
    /// How long to look for more work before going to sleep, in µs; 0: not at all.
    var gatherMicroseconds = 5
    var hz = 10
    var activeExpireEffort = 1
    var isActiveExpireOn = true
    /// DEBUG PAUSE-CRON.
    var isCronPaused = false
    var readsAreGated = true
    /// `maxmemory` in bytes; 0 for no limit.
    var memoryMax = 0

    var debugCommand = Permission.no
    var moduleCommand = Permission.no

    struct OutputLimits {
        var hard: Int
        var soft: Int
        var softSeconds: Int

        init(hard: Int, soft: Int, softSeconds: Int) {
            self.hard = hard
            self.soft = soft
            self.softSeconds = softSeconds
        }

        /// How much the commands of one turn may have for their session: more is over the hard limit. The first
        /// 16 KiB don't count, as Redis's fixed buffer doesn't.
        var replyBytesMax: Int { hard > 0 ? min(hard, .max / 2) + 16384 : .max }

        init(_ limit: BufferLimit) {
            hard = Int(clamping: limit.hardBytes)
            soft = Int(clamping: limit.softBytes)
            softSeconds = Int(clamping: limit.softSeconds)
        }
    }
}

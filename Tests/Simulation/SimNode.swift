internal import HoldfastPlatform
internal import Log
internal import TestSupport

/// A machine: a disk, what is configured, and perhaps a running server.
final class SimNode {
    let number: Int
    let folder = LogFolder(directory: "data")
    private(set) var disk: SimDisk
    var settings = LogWriterSettings()
    var options = ReplicationOptions()
    /// Whom it follows, as its configuration file says.
    var primary: Int?
    var process: SimProcess?
    /// When a server that has ended is started again.
    var startsAt: UInt64 = 0
    /// Failed syncs that the disk had seen when the process began.
    var pageDrops = 0
    /// How the last process ended.
    var end = End.clean
    /// Its disk was exchanged for an empty one, and nobody has looked after it since.
    var isWiped = false
    /// Counts starts, lost disks and full resyncs: what was acknowledged before one of these is another matter.
    var dataNumber = 0

    enum End { case clean, killed, powerCut }

    init(number: Int, seed: UInt64) {
        self.number = number
        disk = SimDisk(seed: seed)
        disk.installFolder("data")
    }

    func wipe(seed: UInt64) {
        disk = SimDisk(seed: seed)
        disk.installFolder("data")
        dataNumber += 1
    }
}

/// The part of the configuration that replication looks at.
struct ReplicationOptions {
    var backlogBytes = 1 << 20
    /// `repl-timeout` in seconds.
    var timeoutSeconds: UInt64 = 3
    /// `repl-diskless-sync`
    var endsByMark = true
    var feedChunkBytes = 4_000
    /// More than wanted that the backlog keeps for replicas that are online.
    var slackBytes = 1 << 20
}

internal import Glibc
internal import HoldfastBytes
public import HoldfastPlatform

/// A disk in memory that keeps its promises and not a bit more.
///
/// It knows two states: what the running system sees, and what is stable. `sync` makes a file's bytes
/// and size stable, `syncFolder` the names in a folder. At `powerCut` each unsynced write survives
/// whole, torn at 512-byte sectors, or not at all, in any order; each unsynced name change survives or
/// not; then the system sees what was stable. A failed sync marks everything clean: what it lost
/// is lost for good, while reads may go on to show it. Every handle of the file that was open then reports
/// it once, as on Linux. One seed gives one history.
///
/// Calls are counted; `faults` makes chosen calls fail, `powerFailsAt` makes one call and all after it
/// fail until `powerCut`. Usable from several threads, one call at a time.
public final class SimDisk: FileSystem, @unchecked Sendable {
    // Sendable because every access to the state happens with `monitor` held.
    let monitor = Monitor()
    private var state: SimDiskState

    /// - Parameter quota: bytes that all files together may hold; nil for no bound.
    public init(seed: UInt64 = 1, quota: Int? = nil) {
        state = SimDiskState(random: PRNG(seed: seed), quota: quota)
    }

    func with<R, E: Error>(_ body: (inout SimDiskState) throws(E) -> R) throws(E) -> R {
        monitor.lock()
        defer { monitor.unlock() }
        return try body(&state)
    }

    // MARK: Control

    /// Calls made so far, of every kind but reads, `size`, `kind`, `list` and `freeBytes`.
    public var calls: Int { with { $0.calls } }

    /// Makes the call with this number (the first is 1) fail.
    public func fail(call number: Int, _ fault: SimFault) { with { $0.faults[number] = fault } }

    public func clearFaults() { with { $0.faults = [:] } }

    /// Each counted call fails with this chance in 10,000, with a fault drawn at random.
    public func setFaultRate(_ perTenThousand: Int) { with { $0.faultRate = perTenThousand } }

    /// Is told of every counted call and what became of it.
    public func setTrace(_ trace: ((String) -> Void)?) { with { $0.trace = trace } }

    public func setQuota(_ bytes: Int?) { with { $0.quota = bytes } }

    /// The power fails during the call with this number: it has part of its effect or none.
    public func powerFails(atCall number: Int?) { with { $0.powerFailsAt = number } }

    /// Whether the power has failed and `powerCut` hasn't been called yet.
    public var isOff: Bool { with { $0.isOff } }

    /// The machine starts again: what was synced is there, of the rest any part. Open files are dead,
    /// locks are free, faults are cleared.
    public func powerCut() { with { $0.powerCut() } }

    /// The process was killed and starts again: all that the kernel had is there.
    public func processKill() { with { $0.dropHandles() } }

    /// How many failed syncs so far made even the running system lose what was written.
    public var pageDrops: Int { with { $0.pageDrops } }

    /// The bytes that the running system sees at `path`.
    public func contents(_ path: String) -> [UInt8]? { with { $0.file(path)?.seen } }

    /// Puts a file in place, stable at once.
    public func install(_ path: String, _ bytes: [UInt8]) { with { $0.install(path, bytes) } }

    /// Puts a folder in place, stable at once.
    public func installFolder(_ path: String) { with { $0.installFolder(path) } }

    public var paths: [String] { with { $0.live.keys.sorted() } }

    // MARK: FileSystem

    public func open(_ path: String, _ mode: OpenMode) throws(SystemError) -> any File {
        let (inode, generation) = try with { state throws(SystemError) in
            (try state.open(path, mode), state.generation)
        }
        return SimFile(disk: self, path: path, inode: inode, generation: generation, lock: false)
    }

    public func list(_ folder: String) throws(SystemError) -> [String] {
        try with { state throws(SystemError) in try state.list(folder) }
    }

    public func kind(of path: String) throws(SystemError) -> FileKind? {
        try with { state throws(SystemError) in
            try state.checkPower("stat", path)
            switch state.live[path] {
            case nil: return nil
            case .folder: return .folder
            case .file: return .file
            }
        }
    }

    public func createFolder(_ path: String) throws(SystemError) {
        try with { state throws(SystemError) in try state.createFolder(path) }
    }

    public func rename(_ from: String, to: String) throws(SystemError) {
        try with { state throws(SystemError) in try state.rename(from, to) }
    }

    public func remove(_ path: String) throws(SystemError) {
        try with { state throws(SystemError) in try state.remove(path) }
    }

    public func syncFolder(_ path: String) throws(SystemError) {
        try with { state throws(SystemError) in try state.syncFolder(path) }
    }

    public func freeBytes(at path: String) throws(SystemError) -> Int64 {
        try with { state throws(SystemError) in
            try state.checkPower("statvfs", path)
            return Int64(max(0, (state.quota ?? 1 << 40) - state.used))
        }
    }

    public func lock(_ path: String) throws(SystemError) -> any File {
        let (inode, generation) = try with { state throws(SystemError) in
            if state.locks.contains(path) {
                throw SystemError(call: "flock", path: path, errno: EWOULDBLOCK)
            }
            let inode = try state.lockable(path)
            state.locks.insert(path)
            return (inode, state.generation)
        }
        return SimFile(disk: self, path: path, inode: inode, generation: generation, lock: true)
    }
}

/// How a counted call of `SimDisk` fails.
public enum SimFault: Sendable {
    /// Fails with this errno; a write, rename or sync may have had part of its effect.
    case error(Int32)
    /// A write takes only part of the bytes and says so; other calls aren't touched.
    case short
}

/// One open file of a `SimDisk`.
final class SimFile: File, @unchecked Sendable {
    // Sendable because everything mutable lies behind the disk's lock.
    let disk: SimDisk
    let path: String
    let inode: SimInode
    let generation: Int
    let lock: Bool
    private var reportedErrors: Int

    init(disk: SimDisk, path: String, inode: SimInode, generation: Int, lock: Bool) {
        self.disk = disk
        self.path = path
        self.inode = inode
        self.generation = generation
        self.lock = lock
        reportedErrors = disk.with { _ in inode.errors }
    }

    private func check(_ state: inout SimDiskState, _ call: String) throws(SystemError) {
        try state.checkPower(call, path)
        if state.generation != generation {
            throw SystemError(call: call, path: path, errno: EBADF)
        }
    }

    func size() throws(SystemError) -> Int64 {
        try disk.with { state throws(SystemError) in
            try check(&state, "fstat")
            return Int64(inode.seen.count)
        }
    }

    func read(
        at offset: Int64, into buffer: UnsafeMutableRawBufferPointer
    ) throws(SystemError) -> Int {
        try disk.with { state throws(SystemError) in
            try check(&state, "pread")
            let start = Int(offset)
            let count = min(buffer.count, inode.seen.count - start)
            if start < 0 || count <= 0 { return 0 }
            inode.seen.withSlice { bytes in
                // SAFETY: `count` is at most the size of both sides.
                unsafe buffer.baseAddress.unsafelyUnwrapped.copyMemory(
                    from: bytes.slice(start..<start + count).pointer, byteCount: count)
            }
            return count
        }
    }

    func write(
        _ head: ByteSlice, _ body: ByteSlice, at offset: Int64
    ) throws(SystemError) -> Int {
        try disk.with { state throws(SystemError) in
            try check(&state, "pwritev")
            return try state.write(
                inode, path, head.copyToArray() + body.copyToArray(), at: Int(offset))
        }
    }

    func sync() throws(SystemError) {
        try disk.with { state throws(SystemError) in
            try check(&state, "fdatasync")
            defer { reportedErrors = inode.errors }
            try state.sync(inode, path)
            if inode.errors != reportedErrors {
                throw SystemError(call: "fdatasync", path: path, errno: 5)
            }
        }
    }

    func truncate(to size: Int64) throws(SystemError) {
        try disk.with { state throws(SystemError) in
            try check(&state, "ftruncate")
            try state.truncate(inode, path, to: Int(size))
        }
    }

    func reserve(upTo size: Int64) throws(SystemError) {
        try disk.with { state throws(SystemError) in
            try check(&state, "fallocate")
            try state.reserve(inode, path, upTo: Int(size))
        }
    }

    func close() {
        disk.with { state in
            if lock && state.generation == generation { state.locks.remove(path) }
        }
    }
}

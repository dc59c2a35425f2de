internal import Engine
internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import Replication
internal import Snapshot
internal import Store
internal import Synchronization

/// A full resync as it comes in: one thread reads the socket and writes what comes to a file, another turns it into a
/// keyspace of its own. Nothing of what is served changes until all is whole and checked.
final class FullLoad: @unchecked Sendable {
    // Sendable: what isn't atomic belongs to the load's thread until `isDone`, to the owner after.

    struct Plan: Sendable {
        var descriptor: Int32
        var form: PayloadForm
        /// What had come behind the header.
        var head: [UInt8]
        var history: HistoryID
        var lsn: LSN
        /// Where the snapshot is kept to become the log's base; nil without a log.
        var path: String?
        var databases: Int
        var hasher: ByteHash
        var loader: SnapshotLoaderSettings
        var limits: EngineLimits
        var milliseconds: Int64
        var timeoutSeconds: Int
        /// `save-verify`
        var verifies: Bool
    }

    /// All that came, whole.
    struct Loaded {
        var keyCount = 0
        var functions: [[UInt8]] = []
        /// The database that the stream has selected behind it.
        var database = 0
        /// The bytes of the file.
        var bytes: Int64 = 0
        /// Of which it says that it is. A primary's base may be of an earlier history than the one in force.
        var history: HistoryID?
    }

    struct Failure: Error {
        let reason: String
    }

    let plan: Plan
    let connection: PrimaryConnection
    let source: PayloadSource
    private var keyspace: Keyspace?
    private var result: Result<Loaded, Failure>?
    private let isDone = Atomic(false)
    private var thread: WorkerThread?

    init(_ plan: Plan, _ connection: PrimaryConnection) throws(SystemError) {
        self.plan = plan
        self.connection = connection
        var file: (any File)?
        if let path = plan.path { file = try LinuxFileSystem().open(path, .createOrTruncate) }
        source = PayloadSource(plan, file)
    }

    /// - Parameter wake: called on the load's thread when there is an outcome.
    func start(wake: @escaping @Sendable () -> Void) {
        do throws(SystemError) {
            thread = try WorkerThread(name: "holdfast-resync") { [self] in
                run()
                wake()
            }
        } catch { end(.failure(Failure(reason: error.reason))) }
    }

    /// How it ended; nil while it runs.
    var outcome: Result<Loaded, Failure>? { isDone.load(ordering: .acquiring) ? result : nil }

    /// The data, once, after a good end.
    func takeKeyspace() -> Keyspace? { keyspace.take() }

    func cancel() { source.cancel() }

    func join() {
        thread?.join()
        thread = nil
        source.file?.close()
    }

    private func run() {
        // It works beside the data that is served, on what may be few cores; the thread that reads ahead is as low.
        WorkerThread.lowerPriority()
        var keyspace = Keyspace(databases: plan.databases, hasher: plan.hasher)
        keyspace.accessNow = AccessClock.now(milliseconds: plan.milliseconds, plan.limits)
        do {
            let loaded = try load(into: &keyspace)
            self.keyspace = consume keyspace
            end(.success(loaded))
        } catch {
            _ = consume keyspace
            let reason = source.failure ?? (error as? Failure)?.reason ?? "\(error)"
            if let path = plan.path {
                // What can't be removed is overwritten by the next attempt.
                do throws(SystemError) { try LinuxFileSystem().remove(path) } catch {}
            }
            end(.failure(Failure(reason: reason)))
        }
    }

    private func end(_ result: Result<Loaded, Failure>) {
        self.result = result
        isDone.store(true, ordering: .releasing)
    }

    private static let stretchBytes = 1 << 20

    private func load(into keyspace: inout Keyspace) throws -> Loaded {
        var loaded = Loaded()
        let limits = plan.limits
        let milliseconds = plan.milliseconds
        var loader = try SnapshotLoader(source, settings: plan.loader)
        while try loader.step(
            into: &keyspace, bytes: Self.stretchBytes,
            access: { idle, frequency in
                AccessClock.loaded(
                    idleSeconds: idle, frequency: frequency, milliseconds: milliseconds, limits)
            })
        {
            if source.isCancelled { throw Failure(reason: "given up") }
            source.keepAlive()
        }
        loaded.keyCount = loader.keysLoaded
        loaded.functions = loader.functions
        loaded.database = loader.aux.streamDatabase ?? 0
        if !(0..<plan.databases).contains(loaded.database) { loaded.database = 0 }
        try check(loader.aux)
        loaded.history = loader.aux.history?.withSlice { HistoryID($0) }
        let end = loader.isExpanded ? nil : loader.offset
        _ = consume loader
        try source.readToEnd()
        loaded.bytes = source.bytesRead
        if let end, end != loaded.bytes {
            throw Failure(reason: "\(loaded.bytes - end) bytes behind the end of the snapshot")
        }
        source.keepAlive()
        if let file = source.file {
            try file.sync()
            // It was checked as it came; whether the disk has it is another question.
            if plan.verifies {
                try SnapshotFile.verify(file, bytes: loaded.bytes, sum: source.sum) {
                    source.keepAlive()
                    return !source.isCancelled
                }
            }
        }
        return loaded
    }

    /// What a snapshot of ours says of itself must be what the primary has said; but a base may have been made before
    /// the history in force began.
    private func check(_ aux: SnapshotAux) throws(Failure) {
        if let lsn = aux.lsn, lsn != plan.lsn.value {
            throw Failure(reason: "a snapshot of LSN \(lsn), where \(plan.lsn) was announced")
        }
    }
}

/// The primary's snapshot as it arrives, and its copy in a file.
final class PayloadSource: SnapshotSource, @unchecked Sendable {
    // Sendable because one thread at a time reads, by the protocol's rule; the rest is atomic.
    let file: (any File)?
    let totalBytes: Int64?
    private let descriptor: Int32
    private let timeoutNanoseconds: UInt64
    private var reader: PayloadReader
    private var arrived = ByteBuffer()
    /// Bytes of the snapshot that nobody has taken yet.
    private var ready = ByteBuffer()
    private var written: Int64 = 0
    /// Of all that was written to the file.
    private(set) var sum = CRC32C.of(ByteSlice())
    private let clock = SystemClock()
    private let count = Atomic<Int64>(0)
    private let lastByte: Atomic<UInt64>
    private let lastSign: Atomic<UInt64>
    private let cancelled = Atomic(false)
    private var fault: String?

    private static let readBytes = 256 << 10
    private static let pollMilliseconds = 100

    init(_ plan: FullLoad.Plan, _ file: (any File)?) {
        self.file = file
        descriptor = plan.descriptor
        timeoutNanoseconds = UInt64(plan.timeoutSeconds) * 1_000_000_000
        reader = PayloadReader(plan.form)
        totalBytes = reader.totalBytes
        arrived.append(plan.head)
        lastByte = Atomic(clock.monotonicNanoseconds)
        lastSign = Atomic(clock.monotonicNanoseconds)
    }

    var bytesRead: Int64 { count.load(ordering: .relaxed) }
    /// Monotonic ns of the last byte that came.
    var lastByteAt: UInt64 { lastByte.load(ordering: .relaxed) }
    var isCancelled: Bool { cancelled.load(ordering: .relaxed) }
    /// What went wrong in words, if it was the socket's or the file's fault.
    var failure: String? { fault }

    func cancel() { cancelled.store(true, ordering: .relaxed) }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        while ready.isEmpty {
            if reader.isAtEnd { return 0 }
            try receive()
        }
        let size = min(ready.count, buffer.count)
        // SAFETY: `size` bytes are in both.
        unsafe buffer.copyMemory(
            from: UnsafeRawBufferPointer(start: ready.slice.pointer, count: size))
        ready.consume(size)
        return size
    }

    /// Takes what is left up to the end; it goes to the file only.
    func readToEnd() throws(SystemError) {
        while !reader.isAtEnd {
            ready.removeAll()
            try receive()
        }
    }

    /// Waits for some bytes, and takes them.
    private func receive() throws(SystemError) {
        if arrived.isEmpty {
            // With a mark, what comes in addition is looked at when the mark's own bytes are there.
            let room = reader.room(upTo: Self.readBytes)
            switch Socket.read(descriptor, into: &arrived, room: room) {
            case .moved: lastByte.store(clock.monotonicNanoseconds, ordering: .relaxed)
            case .closed:
                throw failed("I/O error trying to sync with MASTER: connection lost", ECONNRESET)
            case .wouldBlock: return try wait()
            }
        }
        let all = arrived.slice
        do throws(SystemError) {
            try reader.take(all) { (bytes) throws(SystemError) in
                ready.append(bytes)
                guard let file else { return }
                try file.writeAll(bytes, at: written)
                written += Int64(bytes.count)
                sum = CRC32C.update(sum, bytes)
            }
        } catch {
            fault = "Write error while receiving the snapshot of the master: \(error)"
            throw error
        }
        arrived.removeAll()
        count.store(reader.count, ordering: .relaxed)
    }

    private func wait() throws(SystemError) {
        _ = Socket.wait(descriptor, milliseconds: Self.pollMilliseconds)
        if isCancelled { throw failed("given up", ECANCELED) }
        keepAlive()
        let now = clock.monotonicNanoseconds
        if now > lastByteAt, now - lastByteAt > timeoutNanoseconds {
            throw failed(
                "Timeout receiving bulk data from MASTER... If the problem persists try to set the 'repl-timeout' "
                    + "parameter in redis.conf to a larger value.", ETIMEDOUT)
        }
    }

    private func failed(_ reason: String, _ errno: Int32) -> SystemError {
        fault = reason
        return SystemError(call: "read", path: "primary", errno: errno)
    }

    /// Tells the primary, at most once a second, that this end is alive.
    func keepAlive() {
        let now = clock.monotonicNanoseconds
        let last = lastSign.load(ordering: .relaxed)
        guard now > last, now - last > 1_000_000_000,
            lastSign.compareExchange(expected: last, desired: now, ordering: .relaxed).exchanged
        else { return }
        // One that can't be sent is missed by nobody.
        _ = Socket.write(descriptor, ByteSlice("\n"))
    }
}

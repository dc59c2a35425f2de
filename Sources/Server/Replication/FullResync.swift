internal import Engine
internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import Replication
internal import Snapshot
internal import Store

/// Full resyncs: the log's base, if that is cheaper (BaseResync.swift); else a frozen view, sent as a snapshot while it
/// is made, by a thread of its own; no file is written.
///
/// It begins at the end of a turn, when all effects are with the log and no command is half done, so the snapshot is
/// the data of one LSN, and the stream goes on from there. Each replica has a view of its own: a view costs nothing but
/// what is changed while it lives.
extension CommandLoop {
    mutating func beginDueResyncs() {
        let waiting = state.replicas.sessions.filter { $0.replica?.phase == .waiting }
        let patient = waiting.filter { state.waitsForOthers($0) }
        let delay = state.configuration.number(.replDisklessSyncDelay)
        let countMax = state.configuration.number(.replDisklessSyncMaxReplicas)
        let passed = turnNanoseconds &- min(state.replicas.waitingSince, turnNanoseconds)
        let isDelayOver =
            passed / 1_000_000_000 >= UInt64(delay) || countMax > 0 && patient.count >= countMax
        for session in waiting {
            guard session.output.isEmpty, session.turnRange == nil, !session.isClosed else {
                continue
            }
            if beginFromBase(session) { continue }
            if isDelayOver || !state.waitsForOthers(session) { beginResync(session) }
        }
        state.replicas.hasWaiting = waiting.contains { $0.replica?.phase == .waiting }
    }

    private mutating func beginResync(_ session: Session) {
        guard let replica = session.replica else { return }
        let lsn = state.dispatcher.context.log.appended
        let endsByMark =
            replica.filter != .everything
            || replica.readsToMark && state.configuration.flag(.replDisklessSync)
        replica.phase = .receiving
        replica.cursor = lsn
        state.diagnostics.notice(
            "Starting BGSAVE for SYNC with target: \(endsByMark ? "replicas sockets" : "disk")")
        let before = state.clock.monotonicNanoseconds
        let view = state.dispatcher.context.keyspace.freeze()
        state.statistics.lastFreezeMicroseconds =
            Int64((state.clock.monotonicNanoseconds &- before) / 1000)
        let durability = state.durability
        let snapshot = ReplicaSnapshot(
            header: state.snapshotHeader(for: replica, at: lsn),
            settings: state.snapshotSettings(for: session, replica),
            greeting: replica.isSilent
                ? "" : "+FULLRESYNC \(state.replication.histories.current) \(lsn)\r\n",
            mark: endsByMark ? Startup.randomHistory().description : nil,
            hasData: replica.filter == .everything, lsn: lsn,
            isSafe: { durability.acknowledged >= lsn })
        // Whoever begins to read here can't know which database is selected.
        state.dispatcher.context.log.forgetDatabase()
        let transfer = ReplicaTransfer(
            session, view: view, output: state.output(to: session), endsByMark: endsByMark,
            now: turnNanoseconds, wake: state.wake)
        state.replicas.transfers.append(transfer)
        transfer.start {
            (output, view) throws(ReplicaTransfer.TransferError) in
            try snapshot.send(view, to: output)
        }
    }

    /// A snapshot has been sent whole.
    mutating func finishResync(
        _ session: Session, _ replica: ReplicaFeed, _ transfer: ReplicaTransfer
    ) {
        let name = state.replicaName(session)
        if replica.wantsSnapshotOnly {
            state.diagnostics.notice("Snapshot sent to \(name), which wants nothing else.")
            return close(session)
        }
        replica.heardAt = cron.second
        let seconds = (turnNanoseconds &- transfer.startedAt) / 1_000_000_000
        if replica.unconfirmedBase != nil { state.replication.baseCount += 1 }
        state.diagnostics.notice(
            "\(replica.unconfirmedBase ?? "Snapshot") of \(transfer.output.bytesSent) bytes sent to replica \(name) in \(seconds) s"
        )
        replica.snapshotSent(endsByMark: transfer.endsByMark)
        if replica.phase == .online {
            state.diagnostics.notice("Synchronization with replica \(name) succeeded")
        }
        state.updateGoodReplicas()
    }
}

extension ServerState {
    /// Whether a full resync may be put off for others that come meanwhile.
    func waitsForOthers(_ session: Session) -> Bool {
        guard let replica = session.replica else { return false }
        return replica.readsToMark && !replica.wantsSnapshotOnly && replica.filter == .everything
            && configuration.flag(.replDisklessSync)
            && configuration.number(.replDisklessSyncDelay) > 0
    }

    fileprivate func snapshotHeader(for replica: ReplicaFeed, at lsn: LSN) -> SnapshotHeader {
        var header = snapshotHeader(isBase: false)
        header.replicationID = replication.histories.current.description
        header.replicationOffset = lsn.value
        header.streamDatabase = dispatcher.context.log.database
        if replica.filter == .nothing { header.functions = [] }
        return header
    }

    fileprivate func snapshotSettings(
        for session: Session, _ replica: ReplicaFeed
    ) -> SnapshotSettings {
        var settings = snapshotSettings(isBase: false)
        if replica.readsLZ4, replica.filter == .everything {
            settings.compression = .lz4
        } else if settings.compression != .none {
            // Between processes of one machine, compressing takes longer than sending.
            settings.compression = session.address.isLocal ? .none : .lzf
        }
        return settings
    }
}

/// One snapshot on its way to a replica, in either of the two forms that there are:
///
///     +FULLRESYNC <id> <LSN>\r\n $EOF:<mark>\r\n <RDB> <mark>
///     +FULLRESYNC <id> <LSN>\r\n $<length>\r\n <RDB>
///
/// For the second the length must be known before: the snapshot is made twice, first to count its bytes.
struct ReplicaSnapshot: Sendable {
    let header: SnapshotHeader
    let settings: SnapshotSettings
    let greeting: String
    /// 40 characters that no one can guess; nil for the form with a length.
    let mark: String?
    /// False if only what is in the header is asked for.
    let hasData: Bool
    let lsn: LSN
    /// Whether no crash can take the data back, as far as the policy goes.
    let isSafe: @Sendable () -> Bool

    func send(
        _ view: borrowing FrozenView?, to output: SocketOutput
    ) throws(ReplicaTransfer.TransferError) -> LSN {
        do throws(SnapshotWriteError) {
            // Else the replica could be ahead of what this server finds at its next start.
            while !isSafe() {
                if output.isCancelled { throw .cancelled }
                _ = usleep(1_000)
            }
            try output.write(greeting)
            if let mark {
                try output.write("$EOF:\(mark)\r\n")
                try write(view, to: output, output)
                try output.write(mark)
            } else {
                let counter = CountingSink(output)
                try write(view, to: counter, output)
                try output.write("$\(counter.count)\r\n")
                try write(view, to: output, output)
            }
            return lsn
        } catch { throw .output(error) }
    }

    private func write(
        _ view: borrowing FrozenView?, to sink: any SnapshotSink, _ output: SocketOutput
    ) throws(SnapshotWriteError) {
        let progress = SnapshotProgress()
        switch view {
        case .some(let view) where hasData:
            try SnapshotWriter.write(
                view, header: header, settings: settings, to: sink, progress: progress)
            return
        default: break
        }
        var writer = try SnapshotWriter(
            to: sink, version: settings.version ?? 10, settings: settings, progress: progress)
        try writer.begin(header)
        _ = try writer.finish()
    }
}

/// Counts bytes, and keeps the replica patient meanwhile: it expects a sign of life each second.
private final class CountingSink: SnapshotSink {
    private(set) var count: Int64 = 0
    private let output: SocketOutput
    private let clock = SystemClock()
    private var said: UInt64

    init(_ output: SocketOutput) {
        self.output = output
        said = clock.monotonicNanoseconds
    }

    func write(_ bytes: ByteSlice) throws(SnapshotWriteError) {
        if output.isCancelled { throw .cancelled }
        count += Int64(bytes.count)
        let now = clock.monotonicNanoseconds
        guard now - said >= 1_000_000_000 else { return }
        said = now
        try output.write("\n")
    }
}

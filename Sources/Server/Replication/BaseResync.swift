internal import Engine
internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import Replication
internal import Snapshot
internal import Store

/// A full resync from the log's base: the file as it is, and then the stream from the LSN that it stands for, out of the
/// files. Nothing is frozen and nothing encoded, so it costs the command thread and its memory nothing.
///
///     +FULLRESYNC <id> <LSN of the base>\r\n $<length>\r\n <the file>
///
/// The id is that of the history in force, whatever was when the base was made: what follows is of it, and it is valid
/// for all that came before.
extension CommandLoop {
    /// - Returns: false if a snapshot is to be sent; then it isn't asked again.
    mutating func beginFromBase(_ session: Session) -> Bool {
        guard let replica = session.replica, replica.mayTakeBase else { return false }
        replica.mayTakeBase = false
        guard let base = state.cheaperBase(for: replica) else { return false }
        let name = state.replicaName(session)
        let file: any File
        do throws(SystemError) {
            // From here on it is there, even if a rewrite removes its name.
            file = try LinuxFileSystem().open(state.logFolder.path(of: base.name), .read)
        } catch {
            state.diagnostics.warning("The base can't be sent to replica \(name): \(error)")
            return false
        }
        replica.phase = .receiving
        replica.cursor = base.lsn
        replica.unconfirmedBase = base.name
        state.durability.writer?.retain(from: state.replicas.feeds.needed)
        let stream = state.dispatcher.context.log.appended.value - base.lsn.value
        state.diagnostics.notice(
            "Full resync of replica \(name) from the log's base \(base.name): \(base.bytes) bytes of LSN \(base.lsn), "
                + "and \(stream) bytes of the stream since")
        let work = BaseTransfer(
            file: file, base: base, history: state.replication.histories.current,
            readsOurs: replica.readsLZ4)
        let transfer = ReplicaTransfer(
            session, view: nil, output: state.output(to: session), now: turnNanoseconds,
            wake: state.wake)
        state.replicas.transfers.append(transfer)
        transfer.start {
            (output, _) throws(ReplicaTransfer.TransferError) in
            defer { file.close() }
            return try work.run(output)
        }
        return true
    }

    /// The base wasn't sent, or not whole.
    mutating func endBaseTransfer(_ session: Session, _ replica: ReplicaFeed, _ fault: BaseFault) {
        let name = replica.unconfirmedBase ?? ""
        state.diagnostics.warning(
            "The base \(name) can't be sent to replica \(state.replicaName(session)), which gets a snapshot: "
                + fault.reason)
        if fault.isDamage {
            state.replicas.doubtfulBase = name
            // Also a start would refuse it; what is in memory is right.
            state.diagnostics.warning(
                "== CRITICAL == The log's base is damaged; a rewrite takes its place.")
            if !state.saving.isRewriting { state.saving.isRewriteDue = true }
        }
        guard !fault.hasBegun else { return close(session) }
        replica.unconfirmedBase = nil
        replica.phase = .waiting
        state.replicas.hasWaiting = true
    }
}

extension ServerState {
    /// The log's base, if sending it and what the log holds since costs less than a snapshot (decision 0019). The log
    /// holds both for now.
    fileprivate func cheaperBase(for replica: ReplicaFeed) -> LogBase? {
        // Who wants the snapshot only gets that of now; who doesn't know offsets can't be told of which LSN it is.
        guard replica.filter == .everything, !replica.wantsSnapshotOnly, !replica.isSilent else {
            return nil
        }
        let end = dispatcher.context.log.appended
        let memory = Int64(
            allocator.read().allocated - statistics.startMemory
                - (replicas.backlog?.capacity ?? 0))
        return durability.writer?.holdBase { base in
            let stream = Int64(clamping: end.value - base.lsn.value)
            return stream <= base.bytes / 2 && base.bytes / 2 <= memory
                && base.name != replicas.doubtfulBase
        }
    }

    /// A replica leaves: if it hasn't said that it has loaded the base, the next one gets a snapshot. It may have found
    /// the base wrong.
    mutating func noteUnconfirmedBase(_ session: Session) {
        guard let name = session.replica?.unconfirmedBase else { return }
        replicas.doubtfulBase = name
        diagnostics.notice(
            "Replica \(replicaName(session)) has not confirmed the base \(name), which is not sent again."
        )
    }
}

/// Why a base isn't sent.
struct BaseFault: Error {
    let reason: String
    /// Its bytes are not what they were.
    var isDamage = true
    /// The replica has got some of it already.
    var hasBegun = false
}

/// One base on its way to a replica.
struct BaseTransfer: Sendable {
    let file: any File
    let base: LogBase
    let history: HistoryID
    /// The replica is of our kind: it reads what we write.
    let readsOurs: Bool

    private static let chunkBytes = 256 << 10
    /// An RDB ends with its checksum.
    private static let sumBytes: Int64 = 8

    /// - Returns: where the stream goes on.
    func run(_ output: SocketOutput) throws(ReplicaTransfer.TransferError) -> LSN {
        let isFramed: Bool
        do throws(BaseFault) { isFramed = try check() } catch { throw .base(error) }
        try send(to: output, isFramed: isFramed)
        return base.lsn
    }

    /// Looks whether the replica can begin with it: how it is packed, and what its head and its end say.
    ///
    /// - Returns: whether it is an LZ4 frame.
    private func check() throws(BaseFault) -> Bool {
        var settings = SnapshotReaderSettings()
        settings.verifiesChecksum = false
        settings.isThreaded = false
        settings.blockBytes = 64 << 10
        do {
            guard try file.size() == base.bytes else {
                throw BaseFault(reason: "it has another size than \(base.bytes)")
            }
            var reader = try SnapshotReader(try FileSource(file), settings: settings)
            while case .aux = try reader.next() {}
            if let lsn = reader.aux.lsn, lsn != base.lsn.value {
                throw BaseFault(reason: "it is of LSN \(lsn), not of \(base.lsn)")
            }
            // Without it the replica might take what follows for another database's.
            guard reader.aux.streamDatabase != nil else {
                throw BaseFault(
                    reason: "it doesn't say which database the stream has selected",
                    isDamage: false)
            }
            guard readsOurs || !reader.isExpanded && reader.version <= SnapshotVersion.lowestWritten
            else {
                throw BaseFault(reason: "redis-server may not read it", isDamage: false)
            }
            if reader.isExpanded { return true }
            guard try sumAtEnd().contains(where: { $0 != 0 }) else {
                throw BaseFault(reason: "it has no checksum", isDamage: false)
            }
            return false
        } catch let fault as BaseFault {
            throw fault
        } catch {
            throw BaseFault(reason: "\(error)")
        }
    }

    /// The last bytes of an RDB are the checksum of all others: they leave only if it is right. A replica that lacks them
    /// has nothing that it could take for whole, where one of redis-server ends its process over what is damaged. A frame
    /// has checksums of its own, and only a replica of ours gets one.
    private func send(
        to output: SocketOutput, isFramed: Bool
    ) throws(ReplicaTransfer.TransferError) {
        do throws(SnapshotWriteError) {
            try output.write("+FULLRESYNC \(history) \(base.lsn)\r\n$\(base.bytes)\r\n")
        } catch { throw .output(error) }
        var buffer = ByteBuffer(capacity: Self.chunkBytes)
        var sum: UInt64 = 0
        var offset: Int64 = 0
        let end = isFramed ? base.bytes : base.bytes - Self.sumBytes
        while offset < base.bytes {
            buffer.removeAll()
            let left = (offset < end ? end : base.bytes) - offset
            do throws(SystemError) {
                let count = Int(min(Int64(Self.chunkBytes), left))
                guard try file.readAll(at: offset, count: count, into: &buffer) == count else {
                    throw SystemError(call: "read", path: file.path, errno: EIO)
                }
            } catch { throw .base(BaseFault(reason: "\(error)", hasBegun: true)) }
            if offset >= end {
                guard buffer.slice.load64(at: 0) == sum else {
                    throw .base(
                        BaseFault(reason: "its bytes don't give its checksum", hasBegun: true))
                }
            } else if !isFramed {
                sum = CRC64.update(sum, buffer.slice)
            }
            offset += Int64(buffer.count)
            do throws(SnapshotWriteError) {
                try output.write(buffer.slice)
            } catch { throw .output(error) }
        }
    }

    private func sumAtEnd() throws(SystemError) -> [UInt8] {
        var buffer = ByteBuffer()
        try file.readAll(
            at: base.bytes - Self.sumBytes, count: Int(Self.sumBytes), into: &buffer)
        return buffer.copyToArray()
    }
}

internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import Log
internal import Replication
internal import Snapshot
internal import Store
internal import TestSupport

/// A write whose reply has not left, or that a client waits to be safe.
struct WaitingWrite {
    let write: ClientWrite
    var isReplied = false
    /// `WAIT replicas`
    var replicas: Int64 = 0
    /// `WAITAOF 1 replicas`: on their disks.
    var isDurable = false
    let until: UInt64
}

/// Clients: their commands, their replies, WAIT and WAITAOF.
extension SimProcess {
    /// One command of a client, or a transaction.
    func runCommand() {
        let before = end
        dispatcher.beginUnit(at: wall)
        for _ in 0..<(random.oneIn(5) ? random.within(2...4) : 1) { run(words()) }
        dispatcher.endUnit()
        guard end > before else { return }
        let write = ClientWrite(
            node: node.number, history: replication.histories.current, end: end)
        judge.add(write)
        var item = WaitingWrite(write: write, until: now + 4_000_000_000)
        if random.oneIn(3) {
            item.replicas = Int64(random.within(1...cluster.nodes.count - 1))
            item.isDurable = random.oneIn(3)
            wantsAcks = true
            if item.isDurable { writer.syncNow() }
        }
        waiting.append(item)
    }

    private func words() -> [String] {
        let key = "key\(random.below(12))"
        let number = random.below(1_000_000)
        switch random.below(16) {
        case 0: return ["INCRBY", "n\(random.below(4))", "\(number)"]
        case 1: return ["APPEND", "a\(random.below(4))", "\(number)."]
        case 2: return ["RPUSH", "l\(random.below(3))", "\(number)", "x"]
        case 3: return ["LPOP", "l\(random.below(3))"]
        case 4: return ["DEL", key, "a\(random.below(4))"]
        case 5: return ["SET", key, "\(number)", "PX", "\(random.within(1...3_000))"]
        case 6: return ["HSET", "h\(random.below(2))", "f\(random.below(9))", "\(number)"]
        case 7: return ["SADD", "s\(random.below(2))", "\(random.below(20))"]
        case 8: return ["SPOP", "s\(random.below(2))"]
        case 9: return ["ZADD", "z", "\(random.below(99))", "m\(random.below(9))"]
        case 10: return ["SET", key, String(repeating: "v", count: random.below(900))]
        case 11: return random.oneIn(20) ? ["FLUSHALL"] : ["GET", key]
        default: return ["SET", key, "value:\(number)"]
        }
    }

    private func run(_ words: [String]) {
        dispatcher.context.database = random.oneIn(4) ? random.below(Self.databases) : 0
        batch.removeAll()
        batch.appendCommand(words.map { Array($0.utf8) })
        let arguments = batch.arguments(of: 0)
        guard let row = dispatcher.table.lookup(arguments[0]) else { return }
        let request = Request.encode(words)
        request.withSlice { bytes in
            _ = dispatcher.run(row: row, arguments, keyHash: 0, canonical: bytes)
        }
        dispatcher.context.reply.buffer.removeAll()
        dispatcher.context.hasFlushedAll = false
        batch.removeAll()
    }

    /// Lets replies leave, and ends waits.
    func tendWaiting() {
        guard !waiting.isEmpty else { return }
        let safety: ClientWrite.Safety = node.settings.policy == .always ? .durable : .written
        var left: [WaitingWrite] = []
        for var item in waiting where item.until > now {
            let write = item.write
            if !item.isReplied {
                guard write.end <= acknowledged else {
                    left.append(item)
                    continue
                }
                item.isReplied = true
                write.holders[node.number] = safety
            }
            guard item.replicas > 0, isPrimary else { continue }
            let feeds = sessions.lazy.map(\.feed)
            if item.isDurable {
                if writer.watermarks.durable >= write.end,
                    feeds.count(durable: write.end) >= item.replicas
                {
                    write.holders[node.number] = .durable
                    for session in sessions
                    where session.feed.isOnline && session.feed.durable >= write.end {
                        hold(write, at: session, .durable)
                    }
                    continue
                }
            } else if feeds.count(acknowledging: write.end) >= item.replicas {
                for session in sessions
                where session.feed.isOnline && session.feed.acknowledged >= write.end {
                    let policy = cluster.nodes[session.peer].settings.policy
                    hold(write, at: session, policy == .always ? .durable : .written)
                }
                continue
            }
            left.append(item)
        }
        waiting = left
    }

    /// Its replica has said that it has the write, and the same data is still there.
    private func hold(
        _ write: ClientWrite, at session: ReplicaSession, _ safety: ClientWrite.Safety
    ) {
        guard session.socket.dataNumber == cluster.nodes[session.peer].dataNumber,
            write.holders[session.peer] != .durable
        else { return }
        write.holders[session.peer] = safety
    }

    // MARK: Rewrites

    /// A rewrite begins now and then, and its base takes the place of what is before.
    func tendRewrite() {
        if rewrite != nil {
            if writer.takeBaseOutcome() != nil { rewrite = nil }
        } else if cluster.allowsRewrites, random.oneIn(60), !writer.isFailing {
            beginRewrite()
        }
        if random.oneIn(20) {
            writer.retain(from: sessions.lazy.map(\.feed).needed)
            writer.retire()
        }
    }

    private func beginRewrite() {
        let lsn = writer.rollHere()
        let history = replication.histories.offered(at: lsn)
        var header = SnapshotHeader()
        header.isBase = true
        header.history = history.description
        header.lsn = lsn.value
        header.milliseconds = wall
        let sequence = writer.nextBaseSequence
        let place = SnapshotPlace(
            folder: node.folder.path, name: node.folder.baseName(sequence),
            temporaryName: "\(LogFolder.temporaryBasePrefix)bg.aof")
        let view = dispatcher.context.keyspace.freeze()
        let epoch = view.epoch
        do {
            let summary = try SnapshotFile.write(
                view, header: header, settings: SnapshotSettings(), to: place, on: disk,
                progress: SnapshotProgress())
            let base = LogBase(
                name: place.name, sequence: sequence, lsn: lsn, bytes: summary.bytes,
                history: history)
            rewrite = base
            writer.install(base)
        } catch {
            // The disk's fault; another attempt follows.
        }
        _ = consume view
        dispatcher.context.keyspace.thaw(epoch)
    }
}

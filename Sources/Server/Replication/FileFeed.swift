internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import Snapshot

/// Sends the stream from the log's files to one replica, until memory serves better. Runs on a thread of its own, in
/// bounded memory.
struct FileFeed: Sendable {
    let writer: LogWriter
    let policy: SyncPolicy
    let start: LSN
    let handOver: HandOver

    private static let chunkBytes = 256 << 10

    /// - Returns: where the stream goes on.
    func run(_ output: SocketOutput) throws(ReplicaTransfer.TransferError) -> LSN {
        let cursor = writer.cursor(from: start)
        var buffer = ByteBuffer(capacity: Self.chunkBytes)
        while true {
            if output.isCancelled { throw .output(.cancelled) }
            let end =
                policy == .always ? writer.watermarks.durable : writer.watermarks.written
            if cursor.lsn >= handOver.lsn { return cursor.lsn }
            if cursor.lsn >= end {
                // Memory has gone on, but the disk hasn't got there.
                _ = usleep(2_000)
                continue
            }
            do throws(LogCursorError) {
                try cursor.read(into: &buffer, upTo: end, bytesMax: Self.chunkBytes)
            } catch { throw .log(error) }
            do throws(SnapshotWriteError) {
                try output.write(buffer.slice)
            } catch { throw .output(error) }
            buffer.removeAll()
        }
    }
}

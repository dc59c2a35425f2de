internal import HoldfastBytes
public import HoldfastPlatform
public import Snapshot
public import Store

/// Where a snapshot's file goes.
public struct SnapshotPlace: Sendable {
    public var folder: String
    public var name: String
    /// What it is called until it is whole and durable.
    public var temporaryName: String
    /// `save-verify`: the file is read back before it gets its name.
    public var verifies = true

    public init(folder: String, name: String, temporaryName: String) {
        self.folder = folder
        self.name = name
        self.temporaryName = temporaryName
    }

    public var path: String { "\(folder)/\(name)" }
    var temporaryPath: String { "\(folder)/\(temporaryName)" }
}

/// Snapshots as files: nothing has the name before it is whole, durable and, if asked for, read back.
public enum SnapshotFile {
    /// Writes all that `view` sees. Durable at return, name included. After an error the temporary file is gone,
    /// and the name stands for what it stood for before, or, if only the folder's sync failed, for the new file, whole.
    ///
    /// - Parameter progress: may be used to stop it.
    public static func write(
        _ view: borrowing FrozenView, header: SnapshotHeader, settings: SnapshotSettings,
        to place: SnapshotPlace, on fileSystem: any FileSystem, progress: SnapshotProgress
    ) throws(SnapshotWriteError) -> SnapshotSummary {
        do throws(SnapshotWriteError) {
            let summary = try writeTemporary(
                view, header: header, settings: settings, to: place, on: fileSystem,
                progress: progress)
            try onDisk { () throws(SystemError) in
                try fileSystem.rename(place.temporaryPath, to: place.path)
                try fileSystem.syncFolder(place.folder)
            }
            return summary
        } catch {
            // What can't be removed is overwritten by the next attempt.
            do throws(SystemError) { try fileSystem.remove(place.temporaryPath) } catch {}
            throw error
        }
    }

    private static func writeTemporary(
        _ view: borrowing FrozenView, header: SnapshotHeader, settings: SnapshotSettings,
        to place: SnapshotPlace, on fileSystem: any FileSystem, progress: SnapshotProgress
    ) throws(SnapshotWriteError) -> SnapshotSummary {
        let file: any File
        do throws(SystemError) {
            file = try fileSystem.open(place.temporaryPath, .createOrTruncate)
        } catch { throw .system(error) }
        defer { file.close() }
        let sink = SummingSink(FileSink(file))
        let summary = try SnapshotWriter.write(
            view, header: header, settings: settings, to: sink, progress: progress)
        try onDisk { () throws(SystemError) in
            try file.sync()
            if place.verifies { try verify(file, bytes: summary.bytes, sum: sink.sum) }
        }
        return summary
    }

    /// Reads a file back and compares it with what was handed to the kernel.
    ///
    /// - Parameters:
    ///   - sum: the CRC-32C of its bytes.
    ///   - goesOn: asked before each MiB; false ends it with an error.
    public static func verify(
        _ file: any File, bytes: Int64, sum: UInt32, while goesOn: () -> Bool = { true }
    ) throws(SystemError) {
        // From the disk, as far as that can be asked for.
        file.dropCached()
        var buffer = ByteBuffer(capacity: 1 << 20)
        var offset: Int64 = 0
        var actual = CRC32C.of(ByteSlice())
        while offset < bytes, goesOn() {
            buffer.removeAll()
            let count = try file.readAll(at: offset, count: 1 << 20, into: &buffer)
            if count == 0 { break }
            actual = CRC32C.update(actual, buffer.slice)
            offset += Int64(count)
        }
        if offset != bytes || actual != sum {
            // EIO
            throw SystemError(call: "verify", path: file.path, errno: 5)
        }
    }

    private static func onDisk(
        _ body: () throws(SystemError) -> Void
    ) throws(SnapshotWriteError) {
        do throws(SystemError) { try body() } catch { throw .system(error) }
    }
}

/// A file that remembers the checksum of what went into it.
private final class SummingSink: SnapshotSink {
    private let file: FileSink
    private(set) var sum = CRC32C.of(ByteSlice())

    init(_ file: FileSink) { self.file = file }

    func write(_ bytes: ByteSlice) throws(SnapshotWriteError) {
        try file.write(bytes)
        sum = CRC32C.update(sum, bytes)
    }
}

internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import Snapshot
internal import ToolKit

/// A file that appears whole or not at all: written under another name beside its own, synced, then renamed.
final class NewFile {
    let path: String
    let sink: FileSink
    private let temporary: String
    private let disk = LinuxFileSystem()
    private var isDone = false

    /// - Parameter replaces: a file that is there may be replaced.
    init(_ path: String, replaces: Bool) throws(WalkFailure) {
        self.path = path
        temporary = "\(path).part-\(getpid())"
        do throws(SystemError) {
            if !replaces, try disk.kind(of: path) != nil {
                throw SystemError(call: "create", path: path, errno: EEXIST)
            }
            sink = FileSink(try disk.open(temporary, .createNew), syncBytes: 32 << 20)
        } catch { throw .system(error) }
    }

    deinit {
        guard !isDone else { return }
        sink.file.close()
        // There is nobody to tell any more.
        try? disk.remove(temporary)
    }

    /// Gives the file its name.
    func finish() throws(WalkFailure) {
        do throws(SystemError) {
            try sink.file.sync()
            sink.file.close()
            try disk.rename(temporary, to: path)
            isDone = true
            let folder = path.split(separator: "/", omittingEmptySubsequences: false).dropLast()
                .joined(separator: "/")
            try disk.syncFolder(folder.isEmpty ? (path.hasPrefix("/") ? "/" : ".") : folder)
        } catch { throw .system(error) }
    }
}

/// Output that a command writes piece by piece.
final class SinkBuffer {
    private let sink: any SnapshotSink
    private var buffer = ByteBuffer()
    private(set) var failure: SnapshotWriteError?

    init(_ sink: any SnapshotSink) { self.sink = sink }

    func write(_ bytes: ByteSlice) {
        buffer.append(bytes)
        if buffer.count >= 1 << 20 { flush() }
    }

    func flush() {
        guard failure == nil else { return buffer.removeAll() }
        do throws(SnapshotWriteError) { try sink.write(buffer.slice) } catch { failure = error }
        buffer.removeAll()
    }
}

extension WalkFailure {
    init(_ error: SnapshotWriteError) {
        switch error {
        case .system(let error): self = .system(error)
        case .cancelled: self = .interrupted
        }
    }

    init(_ error: SnapshotCopyError) {
        switch error {
        case .read(let error): self = .read(error)
        case .write(let error): self = .init(error)
        }
    }
}

extension RDBCheckSession {
    /// The new file that `--output` names.
    func newFile() throws(WalkFailure) -> NewFile {
        guard let path = arguments.value("output") else {
            throw .usage(UsageError("\(arguments.command) needs -o FILE"))
        }
        return try NewFile(path, replaces: arguments.has("force"))
    }

    /// - Parameter isFramed: the source is in an LZ4 frame; the new file is as it was, unless said otherwise.
    func compression(isFramed: Bool) -> SnapshotCompression {
        switch arguments.value("compression") {
        case "lz4": .lz4
        case "lzf": .lzf
        case "none": .none
        default: isFramed ? .lz4 : .lzf
        }
    }
}

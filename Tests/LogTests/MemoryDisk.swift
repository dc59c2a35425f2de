import HoldfastBytes
import HoldfastPlatform
import Synchronization

/// A disk in memory that never fails and forgets nothing: fast enough to recover thousands of folders a
/// second. What a crash does to a disk is TestSupport's SimDisk's affair.
final class MemoryDisk: FileSystem {
    struct Contents: Equatable, Sendable {
        var files: [String: [UInt8]] = [:]
        var folders: Set<String> = ["/d"]
    }

    private let state: Mutex<(contents: Contents, locks: Set<String>)>

    init(_ contents: Contents = Contents()) { state = Mutex((contents, [])) }

    var contents: Contents { state.withLock { $0.contents } }

    func open(_ path: String, _ mode: OpenMode) throws(SystemError) -> any File {
        let errno: Int32 = state.withLock { state in
            let exists = state.contents.files[path] != nil
            switch mode {
            case .read, .readWrite: if !exists { return 2 }
            case .createNew: if exists { return 17 }
            case .createOrTruncate: break
            }
            if !state.contents.folders.contains(Self.parent(path)) { return 2 }
            if mode == .createOrTruncate || mode == .createNew { state.contents.files[path] = [] }
            return 0
        }
        if errno != 0 { throw SystemError(call: "open", path: path, errno: errno) }
        return MemoryFile(self, path)
    }

    func list(_ folder: String) throws(SystemError) -> [String] {
        contents.files.keys.filter { Self.parent($0) == folder }
            .map { String($0.dropFirst(folder.count + 1)) }
    }

    func kind(of path: String) throws(SystemError) -> FileKind? {
        let contents = contents
        return contents.files[path] != nil ? .file : contents.folders.contains(path) ? .folder : nil
    }

    func createFolder(_ path: String) throws(SystemError) {
        state.withLock { _ = $0.contents.folders.insert(path) }
    }

    func rename(_ from: String, to: String) throws(SystemError) {
        state.withLock { $0.contents.files[to] = $0.contents.files.removeValue(forKey: from) }
    }

    func remove(_ path: String) throws(SystemError) {
        state.withLock { $0.contents.files[path] = nil }
    }

    func syncFolder(_ path: String) throws(SystemError) {}
    func freeBytes(at path: String) throws(SystemError) -> Int64 { .max }

    func lock(_ path: String) throws(SystemError) -> any File {
        let isFree = state.withLock { $0.locks.insert(path).inserted }
        if !isFree { throw SystemError(call: "flock", path: path, errno: 11) }
        return MemoryFile(self, path, isLock: true)
    }

    private static func parent(_ path: String) -> String {
        path.lastIndex(of: "/").map { String(path[..<$0]) } ?? ""
    }

    private final class MemoryFile: File {
        let path: String
        private let disk: MemoryDisk
        private let isLock: Bool

        init(_ disk: MemoryDisk, _ path: String, isLock: Bool = false) {
            self.disk = disk
            self.path = path
            self.isLock = isLock
        }

        private func with<R>(_ body: (inout [UInt8]) -> R) -> R {
            disk.state.withLock { body(&$0.contents.files[path, default: []]) }
        }

        func size() throws(SystemError) -> Int64 { with { Int64($0.count) } }

        func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(SystemError)
            -> Int
        {
            let part = with { bytes in
                let from = min(Int(offset), bytes.count)
                return Array(bytes[from..<min(bytes.count, from + buffer.count)])
            }
            // SAFETY: `part` is at most as long as the buffer.
            unsafe buffer.copyBytes(from: part)
            return part.count
        }

        func write(_ head: ByteSlice, _ body: ByteSlice, at offset: Int64) throws(SystemError)
            -> Int
        {
            let part = head.copyToArray() + body.copyToArray()
            with { bytes in
                let end = Int(offset) + part.count
                if bytes.count < end {
                    bytes += [UInt8](repeating: 0, count: end - bytes.count)
                }
                bytes.replaceSubrange(Int(offset)..<end, with: part)
            }
            return part.count
        }

        func sync() throws(SystemError) {}

        func truncate(to size: Int64) throws(SystemError) {
            with { bytes in
                let missing = Int(size) - bytes.count
                if missing > 0 {
                    bytes += [UInt8](repeating: 0, count: missing)
                } else {
                    bytes.removeLast(-missing)
                }
            }
        }

        func reserve(upTo size: Int64) throws(SystemError) {}

        func close() {
            if isLock { disk.state.withLock { _ = $0.locks.remove(path) } }
        }
    }
}

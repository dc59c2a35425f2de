internal import CLinux
internal import Glibc
internal import HoldfastBytes
internal import Synchronization

/// The real disk: each call is one system call, repeated when a signal interrupts it (EINTR), its errno
/// read before anything else can run.
///
/// Made names get mode 0644 (files) and 0755 (folders), less the process's umask; every descriptor is
/// closed on exec.
public struct LinuxFileSystem: FileSystem {
    public init() {}

    public func open(_ path: String, _ mode: OpenMode) throws(SystemError) -> any File {
        let flags: Int32 =
            switch mode {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .createOrTruncate: O_RDWR | O_CREAT | O_TRUNC
            case .createNew: O_RDWR | O_CREAT | O_EXCL
            }
        return LinuxFile(descriptor: try descriptor(path, flags), path: path)
    }

    public func list(_ folder: String) throws(SystemError) -> [String] {
        // SAFETY: the stream is used and closed here only, on this thread; an entry is read before the
        // next readdir replaces it.
        let opened: (stream: OpaquePointer?, errno: Int32) = unsafe folder.withCString { name in
            let stream = unsafe opendir(name)
            let code = Glibc.errno
            return unsafe (stream, code)
        }
        guard let stream = unsafe opened.stream else {
            throw SystemError(call: "opendir", path: folder, errno: unsafe opened.errno)
        }
        defer { unsafe _ = closedir(stream) }
        var names: [String] = []
        while true {
            // readdir tells its end from an error by errno alone.
            Glibc.errno = 0
            let entry = unsafe readdir(stream)
            let code = Glibc.errno
            guard let entry = unsafe entry else {
                if code != 0 { throw SystemError(call: "readdir", path: folder, errno: code) }
                return names
            }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { field in
                unsafe String(cString: UnsafeRawPointer(field).assumingMemoryBound(to: CChar.self))
            }
            if name != "." && name != ".." { names.append(name) }
        }
    }

    public func kind(of path: String) throws(SystemError) -> FileKind? {
        var status = stat()
        do throws(SystemError) {
            // SAFETY: the name is terminated, `status` is ours for the call.
            _ = try unsafe named(path, "stat") { name in unsafe Int(stat(name, &status)) }
        } catch {
            if error.errno == ENOENT || error.errno == ENOTDIR { return nil }
            throw error
        }
        return switch status.st_mode & S_IFMT {
        case S_IFREG: .file
        case S_IFDIR: .folder
        default: .other
        }
    }

    public func createFolder(_ path: String) throws(SystemError) {
        // SAFETY: the name is terminated.
        _ = try unsafe named(path, "mkdir") { name in unsafe Int(mkdir(name, 0o755)) }
    }

    public func rename(_ from: String, to: String) throws(SystemError) {
        // SAFETY: both names are terminated and live through the call.
        _ = try unsafe named(from, "rename") { old in
            unsafe to.withCString { new in unsafe Int(Glibc.rename(old, new)) }
        }
    }

    public func remove(_ path: String) throws(SystemError) {
        // SAFETY: the name is terminated.
        _ = try unsafe named(path, "unlink") { name in unsafe Int(unlink(name)) }
    }

    public func syncFolder(_ path: String) throws(SystemError) {
        let folder = try descriptor(path, O_RDONLY | O_DIRECTORY)
        defer { _ = Glibc.close(folder) }
        _ = try calling("fsync", path) { Int(fsync(folder)) }
    }

    public func freeBytes(at path: String) throws(SystemError) -> Int64 {
        var status = statvfs()
        // SAFETY: the name is terminated, `status` is ours for the call.
        _ = try unsafe named(path, "statvfs") { name in unsafe Int(statvfs(name, &status)) }
        let (bytes, overflowed) = UInt64(status.f_bavail)
            .multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return overflowed ? .max : Int64(clamping: bytes)
    }

    public func lock(_ path: String) throws(SystemError) -> any File {
        // A folder can be locked itself, and then the lock leaves nothing behind.
        let flags = try kind(of: path) == .folder ? O_RDONLY | O_DIRECTORY : O_RDWR | O_CREAT
        let file = LinuxFile(descriptor: try descriptor(path, flags), path: path)
        // A holder that is on its way out, or a child of it between fork and exec, lets go in a moment.
        for _ in 0..<Self.lockTries {
            do throws(SystemError) {
                _ = try calling("flock", path) { Int(flock(file.descriptor, LOCK_EX | LOCK_NB)) }
                return file
            } catch {
                guard error.errno == EWOULDBLOCK else {
                    file.close()
                    throw error
                }
                _ = usleep(20_000)
            }
        }
        file.close()
        throw SystemError(call: "flock", path: path, errno: EWOULDBLOCK)
    }

    private static let lockTries = 15

    private func descriptor(_ path: String, _ flags: Int32) throws(SystemError) -> Int32 {
        // SAFETY: the name is terminated and lives through the call.
        let result = try unsafe named(path, "open") { name in
            unsafe Int(Glibc.open(name, flags | O_CLOEXEC, 0o644))
        }
        return Int32(truncatingIfNeeded: result)
    }
}

/// One descriptor. Sendable because the descriptor is an atomic and the kernel orders the rest.
private final class LinuxFile: File {
    let path: String
    private let held: Atomic<Int32>

    init(descriptor: Int32, path: String) {
        self.path = path
        held = Atomic(descriptor)
    }

    deinit { close() }

    /// -1 after `close`, so that a late call fails with EBADF instead of reaching somebody else's file.
    var descriptor: Int32 { held.load(ordering: .relaxed) }

    func size() throws(SystemError) -> Int64 {
        var status = stat()
        // SAFETY: `status` is ours for the call.
        _ = try calling("fstat", path) { unsafe Int(fstat(descriptor, &status)) }
        return Int64(status.st_size)
    }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(SystemError)
        -> Int
    {
        guard let start = buffer.baseAddress, buffer.count > 0 else { return 0 }
        // SAFETY: the kernel writes at most `count` bytes into the caller's buffer.
        return try calling("pread", path) {
            unsafe pread(descriptor, start, buffer.count, off_t(offset))
        }
    }

    func write(_ head: ByteSlice, _ body: ByteSlice, at offset: Int64) throws(SystemError) -> Int {
        // SAFETY: pwritev only reads the two parts, which the caller keeps alive.
        var parts = unsafe (
            iovec(iov_base: UnsafeMutableRawPointer(mutating: head.pointer), iov_len: head.count),
            iovec(iov_base: UnsafeMutableRawPointer(mutating: body.pointer), iov_len: body.count)
        )
        return try calling("pwritev", path) {
            unsafe withUnsafeBytes(of: &parts) { raw in
                unsafe pwritev(
                    descriptor, raw.assumingMemoryBound(to: iovec.self).baseAddress, 2,
                    off_t(offset))
            }
        }
    }

    func sync() throws(SystemError) {
        _ = try calling("fdatasync", path) { Int(fdatasync(descriptor)) }
    }

    func truncate(to size: Int64) throws(SystemError) {
        _ = try calling("ftruncate", path) { Int(ftruncate(descriptor, off_t(size))) }
    }

    func reserve(upTo size: Int64) throws(SystemError) {
        _ = try calling("fallocate", path) { Int(hf_fallocate(descriptor, 0, size)) }
    }

    func dropCached() { _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_DONTNEED) }

    func close() {
        let descriptor = held.exchange(-1, ordering: .relaxed)
        // Never repeated: Linux frees the descriptor even when close reports EINTR.
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
    }
}

/// Runs one system call until no signal interrupts it. `body` must do nothing after the call, so that
/// errno is still that call's.
private func calling(_ call: String, _ path: String, _ body: () -> Int) throws(SystemError) -> Int {
    while true {
        let result = body()
        let code = errno
        if result >= 0 { return result }
        if code != EINTR { throw SystemError(call: call, path: path, errno: code) }
    }
}

/// As `calling`, with the path as a C string.
private func named(_ path: String, _ call: String, _ body: (UnsafePointer<CChar>) -> Int)
    throws(SystemError) -> Int
{
    // SAFETY: the pointer is used inside the closure only. errno is read before the closure returns,
    // where the string's storage may be released.
    let outcome: (result: Int, errno: Int32) = unsafe path.withCString { name in
        while true {
            let result = unsafe body(name)
            let code = Glibc.errno
            if result >= 0 || code != EINTR { return (result, code) }
        }
    }
    if outcome.result < 0 { throw SystemError(call: call, path: path, errno: outcome.errno) }
    return outcome.result
}

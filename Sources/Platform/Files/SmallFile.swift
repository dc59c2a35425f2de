internal import Glibc

/// Whole small files and the few questions about folders that a configuration asks. For start-up and
/// CONFIG REWRITE: every call blocks. Paths are relative to the working folder of the process.
public enum SmallFile {
    /// The bytes of a file. More than `bytesMax` fail with EFBIG.
    public static func read(
        _ path: String, bytesMax: Int = 64 << 20
    ) throws(SystemError) -> [UInt8] {
        // SAFETY: the path is passed as a terminated string for the length of the call.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 { throw SystemError(call: "open", path: path, errno: errno) }
        defer { _ = Glibc.close(descriptor) }
        return try read(descriptor: descriptor, path: path, bytesMax: bytesMax)
    }

    /// All that an open descriptor gives until its end, such as standard input.
    public static func read(
        descriptor: Int32, path: String, bytesMax: Int = 64 << 20
    ) throws(SystemError) -> [UInt8] {
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            // SAFETY: the buffer is `count` bytes long and alive during the call.
            let (count, reason) = unsafe chunk.withUnsafeMutableBytes { target in
                let count = unsafe Glibc.read(descriptor, target.baseAddress, target.count)
                return (count, errno)
            }
            if count < 0 {
                if reason == EINTR { continue }
                throw SystemError(call: "read", path: path, errno: reason)
            }
            if count == 0 { return bytes }
            bytes += chunk[..<count]
            if bytes.count > bytesMax { throw SystemError(call: "read", path: path, errno: EFBIG) }
        }
    }

    /// Puts `bytes` in the place of the file at `path`, which is whole at every instant: the old one or
    /// the new one. On return the new one and its name are on stable storage.
    ///
    /// On failure the old file is untouched. The new file is readable for all (0644 less the umask).
    public static func replace(_ path: String, with bytes: [UInt8]) throws(SystemError) {
        var template = Array((path + ".XXXXXX").utf8) + [0]
        // SAFETY: mkstemp writes six letters over the X of the terminated template.
        let (descriptor, reason) = unsafe template.withUnsafeMutableBytes { name in
            let opened = unsafe mkstemp(
                name.baseAddress.unsafelyUnwrapped.assumingMemoryBound(to: CChar.self))
            return (opened, errno)
        }
        if descriptor < 0 { throw SystemError(call: "open", path: path, errno: reason) }
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        let temporary = String(decoding: template.dropLast(), as: UTF8.self)
        do throws(SystemError) {
            defer { _ = Glibc.close(descriptor) }
            try write(bytes, to: descriptor, path: temporary)
            let mask = umask(0)
            _ = umask(mask)
            if fchmod(descriptor, 0o644 & ~mask) != 0 {
                throw SystemError(call: "fchmod", path: temporary, errno: errno)
            }
            if fsync(descriptor) != 0 {
                throw SystemError(call: "fsync", path: temporary, errno: errno)
            }
            // SAFETY: both paths are passed as terminated strings for the length of the call.
            if unsafe rename(temporary, path) != 0 {
                throw SystemError(call: "rename", path: path, errno: errno)
            }
        } catch {
            unsafe _ = unlink(temporary)
            throw error
        }
        try syncFolder(holding: path)
    }

    private static func write(
        _ bytes: [UInt8], to descriptor: Int32, path: String
    ) throws(SystemError) {
        var written = 0
        while written < bytes.count {
            // SAFETY: `written` is below the count, so the rest lies inside the array.
            let (count, reason) = unsafe bytes.withUnsafeBytes { source in
                let count = unsafe Glibc.write(
                    descriptor, source.baseAddress.unsafelyUnwrapped + written,
                    source.count - written)
                return (count, errno)
            }
            if count < 0 {
                if reason == EINTR { continue }
                throw SystemError(call: "write", path: path, errno: reason)
            }
            written += count
        }
    }

    private static func syncFolder(holding path: String) throws(SystemError) {
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "."
        // SAFETY: the path is passed as a terminated string for the length of the call.
        let descriptor = unsafe open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if descriptor < 0 { throw SystemError(call: "open", path: folder, errno: errno) }
        defer { _ = Glibc.close(descriptor) }
        if fsync(descriptor) != 0 {
            throw SystemError(call: "fsync", path: folder, errno: errno)
        }
    }

    /// Makes sure that lines can be appended to the file at `path`; makes it if it is missing.
    public static func checkAppending(to path: String) throws(SystemError) {
        // SAFETY: the path is passed as a terminated string for the length of the call.
        let descriptor = unsafe open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
        if descriptor < 0 { throw SystemError(call: "open", path: path, errno: errno) }
        _ = Glibc.close(descriptor)
    }

    /// Makes sure that `path` is a folder one may enter, and gives its absolute path without links.
    public static func resolveFolder(_ path: String) throws(SystemError) -> String {
        // SAFETY: realpath returns a terminated string of its own, which is copied and freed here.
        guard let resolved = unsafe realpath(path, nil) else {
            throw SystemError(call: "realpath", path: path, errno: errno)
        }
        let folder = unsafe String(cString: resolved)
        unsafe free(resolved)
        var info = stat()
        if unsafe stat(folder, &info) != 0 {
            throw SystemError(call: "stat", path: path, errno: errno)
        }
        if info.st_mode & S_IFMT != S_IFDIR {
            throw SystemError(call: "stat", path: path, errno: ENOTDIR)
        }
        if unsafe access(folder, X_OK) != 0 {
            throw SystemError(call: "access", path: path, errno: errno)
        }
        return folder
    }

    /// The files that match a shell pattern, sorted; none if nothing matches.
    public static func paths(matching pattern: String) -> [String] {
        // SAFETY: glob fills the structure with terminated strings, which live until globfree.
        var found = unsafe glob_t()
        defer { unsafe globfree(&found) }
        guard unsafe glob(pattern, 0, nil, &found) == 0 else { return [] }
        return unsafe (0..<Int(found.gl_pathc)).compactMap { index in
            unsafe found.gl_pathv[index].map { unsafe String(cString: $0) }
        }
    }
}

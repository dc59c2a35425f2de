public import HoldfastBytes

/// How a file is opened.
public enum OpenMode: Sendable {
    /// Must exist; reading only.
    case read
    /// Must exist; reading and writing.
    case readWrite
    /// Made if missing, emptied if present; reading and writing.
    case createOrTruncate
    /// Must not exist; reading and writing.
    case createNew
}

/// The seam between the log and a disk. The real one is thin (`LinuxFileSystem`); the simulated one keeps
/// what was synced, loses, tears and reorders what wasn't, and fails any call on request.
///
/// Calls block, return at once with their error and can be made from any thread. Durability: a file's
/// bytes are on stable storage after `File.sync`, a name (created, renamed, removed) after `syncFolder`.
public protocol FileSystem: Sendable {
    func open(_ path: String, _ mode: OpenMode) throws(SystemError) -> any File
    /// The names in `folder`, unsorted, without `.` and `..`.
    func list(_ folder: String) throws(SystemError) -> [String]
    /// What stands at `path`, or nil if nothing does.
    func kind(of path: String) throws(SystemError) -> FileKind?
    func createFolder(_ path: String) throws(SystemError)
    func rename(_ from: String, to: String) throws(SystemError)
    func remove(_ path: String) throws(SystemError)
    func syncFolder(_ path: String) throws(SystemError)
    /// Bytes that an ordinary user may still write on the file system that holds `path`.
    func freeBytes(at path: String) throws(SystemError) -> Int64
    /// Takes an exclusive advisory lock, held until the returned file is closed; fails with EWOULDBLOCK
    /// when another process holds it. `path` is a folder, or a file that is made if missing.
    func lock(_ path: String) throws(SystemError) -> any File
}

public enum FileKind: Sendable { case file, folder, other }

/// One open file.
public protocol File: AnyObject, Sendable {
    var path: String { get }
    func size() throws(SystemError) -> Int64
    /// Reads up to `buffer.count` bytes at `offset`; 0 at the end of the file.
    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(SystemError)
        -> Int
    /// Writes `head` then `body` at `offset`; may write less than asked and then says how much.
    func write(_ head: ByteSlice, _ body: ByteSlice, at offset: Int64) throws(SystemError) -> Int
    /// Puts the file's bytes and size on stable storage. After a failure nothing is known about any
    /// byte written since the last success.
    func sync() throws(SystemError)
    func truncate(to size: Int64) throws(SystemError)
    /// Reserves room up to `size` without changing what reads give; may say EOPNOTSUPP.
    func reserve(upTo size: Int64) throws(SystemError)
    /// Asks that what was synced is read from the disk the next time; only a hint.
    func dropCached()
    func close()
}

extension File {
    public func dropCached() {}
}

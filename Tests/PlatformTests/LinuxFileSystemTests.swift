import Foundation
import HoldfastBytes
import HoldfastPlatform
import Testing

/// A folder of its own for each test, removed after it.
private final class ScratchFolder: Sendable {
    let path: String
    init() throws {
        path = NSTemporaryDirectory() + "holdfast-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: false)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

@Suite("the real file system")
struct LinuxFileSystemTests {
    private let scratch: ScratchFolder
    private let disk = LinuxFileSystem()
    private var folder: String { scratch.path }

    init() throws { scratch = try ScratchFolder() }

    private func read(_ name: String) throws -> String {
        String(decoding: try disk.readWhole("\(folder)/\(name)", bytesMax: 1 << 20), as: UTF8.self)
    }

    @Test("what was written in two parts is read back at any offset")
    func writeAndRead() throws {
        let file = try disk.open("\(folder)/a", .createNew)
        #expect(try file.write(ByteSlice("head"), ByteSlice("body"), at: 0) == 8)
        #expect(try file.write(ByteSlice(), ByteSlice("tail"), at: 8) == 4)
        try file.writeAll(ByteSlice("HE"), at: 0)
        try file.sync()
        #expect(try file.size() == 12)
        var buffer = ByteBuffer()
        let some = try file.readAll(at: 2, count: 100, into: &buffer)
        let none = try file.readAll(at: 12, count: 5, into: &buffer)
        let text = buffer.slice.text
        #expect(some == 10)
        #expect(none == 0)
        #expect(text == "adbodytail")
        #expect(try read("a") == "HEadbodytail")
    }

    @Test("the modes create, empty, keep and refuse as they say")
    func modes() throws {
        let path = "\(folder)/a"
        #expect(throws: SystemError(call: "open", path: path, errno: ENOENT)) {
            try disk.open(path, .read)
        }
        try disk.open(path, .createNew).writeAll(ByteSlice("one"), at: 0)
        #expect(throws: SystemError(call: "open", path: path, errno: EEXIST)) {
            try disk.open(path, .createNew)
        }
        let reader = try disk.open(path, .read)
        #expect(throws: SystemError(call: "pwritev", path: path, errno: EBADF)) {
            try reader.write(ByteSlice("x"), ByteSlice(), at: 0)
        }
        #expect(try disk.open(path, .readWrite).size() == 3)
        #expect(try disk.open(path, .createOrTruncate).size() == 0)
    }

    @Test("truncate sets the size, reserve leaves it")
    func sizes() throws {
        let file = try disk.open("\(folder)/a", .createNew)
        try file.writeAll(ByteSlice("0123456789"), at: 0)
        try file.truncate(to: 4)
        do { try file.reserve(upTo: 1 << 16) } catch { #expect(error.errno == EOPNOTSUPP) }
        #expect(try file.size() == 4)
        #expect(try read("a") == "0123")
    }

    @Test("names are listed, told apart, renamed and removed")
    func names() throws {
        try disk.createFolder("\(folder)/sub")
        try disk.open("\(folder)/b", .createNew).close()
        #expect(try disk.list(folder).sorted() == ["b", "sub"])
        #expect(try disk.kind(of: "\(folder)/sub") == .folder)
        #expect(try disk.kind(of: "\(folder)/b") == .file)
        #expect(try disk.kind(of: "\(folder)/none") == nil)
        #expect(try disk.kind(of: "\(folder)/b/none") == nil)
        #expect(try disk.kind(of: "/dev/null") == .other)
        try disk.rename("\(folder)/b", to: "\(folder)/c")
        try disk.syncFolder(folder)
        try disk.remove("\(folder)/c")
        #expect(try disk.list(folder) == ["sub"])
        #expect(throws: SystemError(call: "opendir", path: "\(folder)/x", errno: ENOENT)) {
            try disk.list("\(folder)/x")
        }
        #expect(try disk.freeBytes(at: folder) > 0)
    }

    @Test("a lock on a file or a folder is held until it is closed", arguments: ["", "/lock"])
    func locking(name: String) throws {
        let path = folder + name
        let held = try disk.lock(path)
        #expect(throws: SystemError(call: "flock", path: path, errno: EWOULDBLOCK)) {
            try disk.lock(path)
        }
        held.close()
        try disk.lock(path).close()
    }

    @Test("a closed file fails with EBADF and touches nobody else's descriptor")
    func closed() throws {
        let file = try disk.open("\(folder)/a", .createNew)
        file.close()
        file.close()
        #expect(throws: SystemError(call: "fdatasync", path: file.path, errno: EBADF)) {
            try file.sync()
        }
    }

    @Test("a replaced file holds the new bytes and leaves nothing beside it")
    func replace() throws {
        for text: StaticString in ["first", "second, longer", ""] {
            try AtomicReplace.replace(
                "m", in: folder, temporary: "temp-m", with: ByteSlice(text), on: disk)
            #expect(try read("m") == "\(text)")
            #expect(try disk.list(folder) == ["m"])
        }
    }

    @Test("a file over the bound is refused before it is read")
    func bounded() throws {
        try disk.open("\(folder)/a", .createNew).writeAll(ByteSlice("12345"), at: 0)
        #expect(try disk.readWhole("\(folder)/a", bytesMax: 5).count == 5)
        #expect(throws: SystemError(call: "read", path: "\(folder)/a", errno: EFBIG)) {
            try disk.readWhole("\(folder)/a", bytesMax: 4)
        }
    }
}

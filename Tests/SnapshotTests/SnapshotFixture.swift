import HoldfastBytes
import HoldfastPlatform
import Snapshot
import Store
import Testing

/// Keyspaces and files for the tests of this module.
enum Fixture {
    static func keyspace(databases: Int = 16) -> Keyspace {
        Keyspace(databases: databases, seed: 7)
    }

    static func set(
        _ key: String, to value: [UInt8], database: Int = 0, deadline: Int64? = nil,
        in keyspace: inout Keyspace
    ) {
        Array(key.utf8).withSlice { key in
            value.withSlice { value in
                keyspace.setString(
                    keyspace.hashed(key), database, to: value,
                    deadline: deadline.map { .set($0) } ?? .clear)
            }
        }
    }

    /// The file that a snapshot of `keyspace` makes.
    static func save(
        _ keyspace: inout Keyspace, _ settings: SnapshotSettings = .init(),
        header: SnapshotHeader = .init(), compression: SnapshotCompression? = nil
    ) throws -> [UInt8] {
        var settings = settings
        if let compression { settings.compression = compression }
        let sink = MemorySink()
        let view = keyspace.freeze()
        defer { keyspace.thaw(view.epoch) }
        try SnapshotWriter.write(
            view, header: header, settings: settings, to: sink, progress: SnapshotProgress())
        return sink.bytes
    }

    /// Loads a file into a new keyspace.
    static func load(
        _ file: [UInt8], blockBytes: Int = 256 << 10, isThreaded: Bool = false, databases: Int = 16,
        sanitizes: Bool = true, _ body: (inout Keyspace, borrowing SnapshotLoader) throws -> Void
    ) throws {
        var settings = SnapshotLoaderSettings()
        settings.reader.blockBytes = blockBytes
        settings.reader.isThreaded = isThreaded
        settings.reader.sanitizes = sanitizes
        var keyspace = keyspace(databases: databases)
        var loader = try SnapshotLoader(MemorySource(file), settings: settings)
        while try loader.step(into: &keyspace, bytes: 1 << 20) {}
        keyspace.checkInvariants()
        try body(&keyspace, loader)
    }

    /// What is wrong with a file, or nil.
    static func fault(
        _ file: [UInt8], blockBytes: Int = 256 << 10, isThreaded: Bool = false, databases: Int = 16,
        sanitizes: Bool = true
    ) -> SnapshotReadError? {
        do {
            try load(
                file, blockBytes: blockBytes, isThreaded: isThreaded, databases: databases,
                sanitizes: sanitizes
            ) { _, _ in }
            return nil
        } catch { return error as? SnapshotReadError }
    }

    static func bytes(hex: String) -> [UInt8] {
        let digits = hex.utf8.filter { $0 != 32 && $0 != 10 }.map { byte in
            byte < 58 ? byte - 48 : byte - 87
        }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    static func hex(_ bytes: some Sequence<UInt8>) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
    }
}

internal import HoldfastBytes
internal import HoldfastPlatform
internal import Snapshot
internal import Store

/// RDB files: loading and passing over agree on what is readable; what was loaded is written and loaded again, the same
/// wherever blocks end; what is refused is refused at a place that exists.
///
/// The first byte says what stands before the rest of the input (nothing, the head of an RDB, the magic of an LZ4
/// frame), how long blocks are, and whether duplicates are looked for. Checksums aren't compared.
enum RDBTarget {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var input = InputCursor(bytes)
        let head = input.byte()
        let prefix: [UInt8] =
            switch head & 3 {
            case 0: []
            case 1: [0x04, 0x22, 0x4d, 0x18]
            default: Array("REDIS0012".utf8)
            }
        var settings = SnapshotLoaderSettings()
        settings.reader.isThreaded = false
        settings.reader.verifiesChecksum = false
        settings.reader.sanitizes = head & 4 != 0
        settings.reader.blockBytes = [16, 64, 1024, 1 << 16][head >> 4 & 3]
        let file = prefix + input.rest()
        guard var loaded = try load(file, settings) else { return }
        try skim(file, settings)
        let digest = loaded.digest().hex
        for compression in [SnapshotCompression.none, .lzf, .lz4] {
            var writing = SnapshotSettings()
            writing.compression = compression
            writing.version = 12
            let again = try write(&loaded, writing)
            settings.reader.verifiesChecksum = true
            guard let back = try load(again, settings) else {
                throw FuzzFailure("our own file is refused")
            }
            try expect(back.digest().hex == digest, "another keyspace came back")
        }
    }

    private static func load(
        _ file: [UInt8], _ settings: SnapshotLoaderSettings
    ) throws(FuzzFailure) -> Keyspace? {
        var keyspace = Keyspace(databases: 4, seed: 1)
        do {
            var loader = try SnapshotLoader(MemorySource(file), settings: settings)
            while try loader.step(into: &keyspace, bytes: 1 << 16) {}
        } catch let error as SnapshotReadError {
            // An LZ4 frame holds more than its own length, but not without bound.
            let most = Int64(file.count + 64) * 255
            try expect(0...most ~= error.offset, "refused at \(error.offset): \(error)")
            keyspace.checkInvariants()
            return nil
        } catch { throw FuzzFailure("\(error)") }
        keyspace.checkInvariants()
        return keyspace
    }

    /// What can be loaded can be passed over.
    private static func skim(
        _ file: [UInt8], _ settings: SnapshotLoaderSettings
    ) throws(FuzzFailure) {
        do {
            var reader = try SnapshotReader(MemorySource(file), settings: settings.reader)
            while true {
                switch try reader.next() {
                case .key(let head): try reader.skipValue(head)
                case .end: return
                default: break
                }
            }
        } catch { throw FuzzFailure("loaded, but not passed over: \(error)") }
    }

    private static func write(
        _ keyspace: inout Keyspace, _ settings: SnapshotSettings
    ) throws(FuzzFailure) -> [UInt8] {
        let sink = MemorySink()
        let view = keyspace.freeze()
        let epoch = view.epoch
        do throws(SnapshotWriteError) {
            try SnapshotWriter.write(
                view, header: SnapshotHeader(), settings: settings, to: sink,
                progress: SnapshotProgress())
        } catch { throw FuzzFailure("\(error)") }
        keyspace.thaw(epoch)
        return sink.bytes
    }
}

internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import RDBCheck
internal import Snapshot
internal import Store
internal import ToolKit

/// rdb-check: what it calls OK a server loads and what it doesn't a server refuses; what it salvages or converts is OK and
/// holds the same data; nothing that prints keys traps.
enum RDBCheckTarget {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        let folder = try Folder()
        let file = folder.path("in")
        try folder.write(bytes, to: file)
        let verdict = RDBCheckSession.run(["verify", "-q", file], output: .kept())
        let load = try loaded(bytes)
        switch load {
        case .refused(let error):
            try expect(verdict != .sound, "a server refuses what is OK: \(error)")
        case .loaded(let digest):
            try expect(verdict == .sound, "a server loads what is not OK: \(verdict)")
            try convert(file, folder, digest)
        case .unknown: break
        }
        try salvage(file, folder)
        for words in [
            ["dump", "--as", "jsonl"], ["dump", "--as", "csv"], ["dump", "--as", "resp"],
            ["keys"], ["top"], ["report"], ["info"], ["verify", "--quick"],
        ] {
            _ = RDBCheckSession.run(words + [file], output: .kept())
        }
    }

    private enum Load {
        case loaded(String)
        case refused(String)
        /// Nothing that a checker has to know.
        case unknown
    }

    private static func loaded(_ bytes: [UInt8]) throws(FuzzFailure) -> Load {
        var settings = SnapshotLoaderSettings()
        settings.reader.isThreaded = false
        settings.reader.sanitizes = true
        var keyspace = Keyspace(databases: 16, seed: 1)
        do {
            var loader = try SnapshotLoader(MemorySource(bytes), settings: settings)
            while try loader.step(into: &keyspace, bytes: 1 << 16) {}
        } catch let error as SnapshotReadError {
            switch error.reason {
            case .badDatabase, .moduleValue, .previewFunction: return .unknown
            default: return .refused("\(error)")
            }
        } catch { throw FuzzFailure("\(error)") }
        return .loaded(keyspace.digest().hex)
    }

    private static func convert(
        _ file: String, _ folder: Folder, _ digest: String
    ) throws(FuzzFailure) {
        try expect(try self.digest(file) == digest, "another digest than a server's")
        for (version, compression) in [("rdb:12", "none"), ("rdb:9", "lzf"), ("rdb:11", "lz4")] {
            let new = folder.path("new")
            let code = RDBCheckSession.run(
                [
                    "convert", "--force", "-o", new, "--to", version, "--compression",
                    compression, file,
                ], output: .kept())
            try expect(code == .sound, "convert to \(version) ended with \(code)")
            try expectSound(new)
            try expect(try self.digest(new) == digest, "convert to \(version) changed the data")
        }
    }

    private static func salvage(_ file: String, _ folder: Folder) throws(FuzzFailure) {
        let new = folder.path("salvaged")
        let code = RDBCheckSession.run(["salvage", "--force", "-o", new, file], output: .kept())
        if code == .sound { try expectSound(new) }
    }

    private static func expectSound(_ file: String) throws(FuzzFailure) {
        let output = Output.kept()
        let code = RDBCheckSession.run(["verify", file], output: output)
        try expect(code == .sound, "our own file: \(output.keptText)")
    }

    private static func digest(_ file: String) throws(FuzzFailure) -> String {
        let output = Output.kept()
        _ = RDBCheckSession.run(["digest", file], output: output)
        return String(output.keptText.prefix { $0 != "\n" })
    }

    /// A folder of its own, which goes with what is in it.
    private final class Folder {
        private let root: String

        init() throws(FuzzFailure) {
            var name = Array("/tmp/holdfast-fuzz-XXXXXX".utf8CString)
            guard let made = unsafe mkdtemp(&name) else { throw FuzzFailure("no folder") }
            // SAFETY: mkdtemp gives back its argument.
            root = unsafe String(cString: made)
        }

        deinit {
            // SAFETY: paths are passed as terminated strings for the length of the call.
            for name in ["in", "new", "salvaged"] { unsafe unlink(path(name)) }
            unsafe rmdir(root)
        }

        func path(_ name: String) -> String { root + "/" + name }

        func write(_ bytes: [UInt8], to path: String) throws(FuzzFailure) {
            do {
                let file = try LinuxFileSystem().open(path, .createNew)
                try bytes.withSlice { (slice) throws(SystemError) in
                    try file.writeAll(slice, at: 0)
                }
                file.close()
            } catch { throw FuzzFailure("\(error)") }
        }
    }
}

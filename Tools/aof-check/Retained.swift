internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log

/// What a folder still keeps from before its base: an older base and the segments that go on from it.
enum Retained {
    /// The folder's manifest.
    static func manifest(_ folder: LogFolder, on disk: any FileSystem) throws -> Manifest {
        let bytes = try disk.readWhole(folder.manifestPath, bytesMax: Manifest.bytesMax)
        return try bytes.withSlice { try Manifest(parsing: $0) }
    }

    /// A manifest that begins as early as the files allow, for reading only; nil when the folder's own does, or
    /// can't be read: then reading says why.
    static func listing(_ target: LogTarget, on disk: any FileSystem) -> Manifest? {
        guard case .folder(let folder) = target,
            let manifest = try? manifest(folder, on: disk)
        else { return nil }
        return listing(manifest) { ((try? disk.kind(of: folder.path(of: $0))) ?? nil) == .file }
    }

    static func listing(_ manifest: Manifest, exists: (String) -> Bool) -> Manifest? {
        guard let base = manifest.base, var first = base.firstLSN else { return nil }
        var segments: [Manifest.Line] = []
        // From the newest backwards, as long as nothing is missing.
        for line in manifest.lines.reversed()
        where line.type == .history && !isBase(line) {
            guard let lsn = line.firstLSN, lsn < first, exists(line.name) else { break }
            segments.insert(line, at: 0)
            first = lsn
        }
        if segments.isEmpty { return nil }
        let older = manifest.lines.last { line in
            line.type == .history && isBase(line) && exists(line.name)
                && segments.contains { $0.firstLSN == line.firstLSN }
        }
        if let lsn = older?.firstLSN {
            segments.removeAll { ($0.firstLSN ?? .zero) < lsn }
        } else if segments.first?.firstLSN != .zero {
            return nil
        }
        var listing = Manifest(history: manifest.history, durable: manifest.durable)
        if var older {
            older.type = .base
            listing.lines.append(older)
        }
        for var line in segments + manifest.lines.filter({ $0.type == .incremental }) {
            line.type = .incremental
            listing.lines.append(line)
        }
        return listing
    }

    private static func isBase(_ line: Manifest.Line) -> Bool {
        line.name.hasSuffix(".base.rdb") || line.name.hasSuffix(".base.aof")
    }
}

internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import ToolKit

/// A file in a log folder that its manifest doesn't list.
struct Orphan {
    enum Kind { case segment, healing, base, side, temporary }

    var name: String
    var kind: Kind
    var meaning: String
}

enum Orphans {
    static func list(
        _ target: LogTarget, _ inspection: Inspection, on disk: any FileSystem
    ) -> [Orphan] {
        guard case .folder(let folder) = target else { return [] }
        let listed = listedNames(folder, disk)
        guard let listed, let names = try? disk.list(folder.path) else { return [] }
        return names.sorted().filter { !listed.contains($0) }.compactMap { orphan($0, folder) }
    }

    /// Every name that the manifest mentions; nil if it can't be read, for then nothing is an orphan.
    private static func listedNames(_ folder: LogFolder, _ disk: any FileSystem) -> Set<String>? {
        guard let bytes = try? disk.readWhole(folder.manifestPath, bytesMax: Manifest.bytesMax),
            let manifest = try? bytes.withSlice({ try Manifest(parsing: $0) })
        else { return nil }
        return Set(manifest.lines.map(\.name))
    }

    static func orphan(_ name: String, _ folder: LogFolder) -> Orphan? {
        if name.hasPrefix(LogFolder.temporaryBasePrefix) || name == folder.temporaryManifestName {
            return Orphan(name: name, kind: .temporary, meaning: "unfinished, nobody needs it")
        }
        if name.hasPrefix(folder.fileName + "."), name.contains(".cut-") {
            return Orphan(
                name: name, kind: .side, meaning: "what was cut off once; yours to delete")
        }
        if folder.isHealingSegment(name) {
            return Orphan(
                name: name, kind: .healing,
                meaning: "a healing that was interrupted, nothing in it was acknowledged")
        }
        if folder.segment(of: name) != nil {
            return Orphan(name: name, kind: .segment, meaning: "a segment that nothing loads")
        }
        if folder.isBase(name) {
            return Orphan(name: name, kind: .base, meaning: "a base that nothing loads")
        }
        return nil
    }
}

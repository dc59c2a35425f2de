internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import Snapshot
internal import ToolKit

/// A manifest made anew from the files in a folder: a base, and the segments that go on from it without a gap.
struct ManifestRebuild {
    let folder: LogFolder
    let disk: any FileSystem
    let console: Console

    private struct Segment {
        var name: String
        var opening: SegmentOpening
        var isHealing: Bool
        /// The end of its last whole batch.
        var end: LSN
    }

    private struct Base {
        var name: String
        var sequence: UInt64
        var lsn: LSN
        var history: HistoryID?
    }

    func plan() throws -> FixPlan {
        let names = try disk.list(folder.path).sorted()
        var segments: [Segment] = []
        var plain: [(name: String, sequence: UInt64)] = []
        for name in names where folder.segment(of: name) != nil || folder.isHealingSegment(name) {
            if let segment = try segment(name) {
                segments.append(segment)
            } else if let sequence = folder.segment(of: name) {
                plain.append((name, sequence))
            }
        }
        if segments.isEmpty { return try planStock(names, plain) }
        return try planOurs(names, segments)
    }

    // MARK: - Ours

    private func planOurs(_ names: [String], _ segments: [Segment]) throws -> FixPlan {
        let bases = try names.compactMap { try base($0) }
        var start = LSN.zero
        var manifest = Manifest()
        // The newest base from which the segments go on.
        let fitting = bases.filter { base in
            segments.contains { $0.opening.firstLSN == base.lsn }
                || segments.allSatisfy { $0.end <= base.lsn }
        }
        if let base = fitting.max(by: { $0.lsn < $1.lsn }) {
            start = base.lsn
            manifest.lines.append(
                .init(
                    name: base.name, sequence: base.sequence, type: .base, firstLSN: base.lsn,
                    history: base.history))
        }
        var end = start
        for segment in segments.sorted(by: { $0.opening.segment < $1.opening.segment }) {
            let first = segment.opening.firstLSN
            if first < start { continue }
            if first < end, segment.isHealing, let index = manifest.lines.indices.last,
                let offset = try self.offset(of: first, in: manifest.lines[index].name)
            {
                // It took over from a segment whose disk failed, at this place.
                manifest.lines[index].bytes = offset
                end = first
            }
            guard first == end else { continue }
            manifest.lines.append(
                .init(
                    name: segment.name, sequence: segment.opening.segment, type: .incremental,
                    firstLSN: first, history: segment.opening.history))
            manifest.durable = first
            end = max(end, segment.end)
        }
        guard !manifest.lines.isEmpty else {
            return .impossible(
                "no base is left from which the segments go on: the earliest begins at LSN "
                    + "\(segments.map(\.opening.firstLSN).min() ?? .zero); restore a backup")
        }
        manifest.settleHistories()
        return .steps(leftOver(names, manifest) + [.manifest(manifest)])
    }

    private func segment(_ name: String) throws -> Segment? {
        let file = try disk.open(folder.path(of: name), .read)
        defer { file.close() }
        var reader = try SegmentReader(file)
        guard case .line(let opening) = try reader.readOpening() else { return nil }
        let inspection = Inspection.run(
            .file(folder.path(of: name)), on: disk, console: console, label: "reading \(name)")
        return Segment(
            name: name, opening: opening, isHealing: folder.isHealingSegment(name),
            end: inspection.tallies.last?.endLSN ?? opening.firstLSN)
    }

    private func base(_ name: String) throws -> Base? {
        guard folder.isBase(name) else { return nil }
        let file = try disk.open(folder.path(of: name), .read)
        defer { file.close() }
        let aux = self.aux(file)
        guard let lsn = aux?.lsn else { return nil }
        let history = aux?.history?.withSlice { HistoryID($0) }
        return Base(
            name: name, sequence: folder.baseNumber(of: name) ?? 1, lsn: LSN(lsn), history: history)
    }

    /// The auxiliary fields of an RDB, which stand before its first key; nil if it can't be read.
    private func aux(_ file: any File) -> SnapshotAux? {
        guard let source = try? FileSource(file), var reader = try? SnapshotReader(source) else {
            return nil
        }
        while let item = try? reader.next() {
            switch item {
            case .aux, .sizes, .function, .passedOver: continue
            case .database, .key, .end: return reader.aux
            }
        }
        return nil
    }

    /// Where in a segment the batch ends that ends at `lsn`.
    private func offset(of lsn: LSN, in name: String) throws -> Int64? {
        var found: Int64?
        _ = Inspection.run(
            .file(folder.path(of: name)), on: disk, console: console, label: "reading \(name)"
        ) { batch in
            if batch.endLSN == lsn { found = batch.place?.range.upperBound }
        }
        return found
    }

    // MARK: - redis-server's

    private func planStock(_ names: [String], _ plain: [(name: String, sequence: UInt64)]) throws
        -> FixPlan
    {
        let bases = names.filter(folder.isBase)
        if bases.isEmpty && plain.isEmpty {
            return .impossible("\(folder.path) holds no log files")
        }
        guard bases.count <= 1, bases.isEmpty || plain.count <= 1 else {
            return .impossible(
                "redis-server wrote these files, and they don't tell which of them a newer base "
                    + "has superseded: \((bases + plain.map(\.name)).joined(separator: ", ")). "
                    + "Restore the manifest from a backup, or write it by hand")
        }
        var manifest = Manifest()
        for name in bases {
            manifest.lines.append(
                .init(name: name, sequence: folder.baseNumber(of: name) ?? 1, type: .base))
        }
        for (name, sequence) in plain.sorted(by: { $0.sequence < $1.sequence }) {
            manifest.lines.append(.init(name: name, sequence: sequence, type: .incremental))
        }
        return .steps([.manifest(manifest)])
    }

    private func leftOver(_ names: [String], _ manifest: Manifest) -> [FixStep] {
        let listed = Set(manifest.lines.map(\.name))
        return names.filter { name in
            !listed.contains(name)
                && (folder.segment(of: name) != nil || folder.isHealingSegment(name)
                    || folder.isBase(name))
        }.map { .quarantine(name: $0, why: "the log doesn't go over it") }
    }
}

extension Manifest {
    /// Lets the newest file's history be in force, and the lines name only those that differ.
    mutating func settleHistories() {
        history = loaded.last { $0.history != nil }?.history ?? history
        for index in lines.indices where lines[index].history == history {
            lines[index].history = nil
        }
    }
}

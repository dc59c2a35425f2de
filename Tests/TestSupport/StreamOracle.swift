internal import HoldfastBytes
public import HoldfastPlatform
public import Log

/// A second, simple reading of a log folder, to judge the real one by: no tables, no tolerance but for
/// the end of the newest segment.
public enum StreamOracle {
    public struct Failure: Error, CustomStringConvertible {
        public let description: String
    }

    /// The records of a folder that the writer made, from the first segment's first LSN on.
    ///
    /// - Parameter isExact: whether anything may follow the last whole batch.
    public static func read(
        _ folder: LogFolder, on fileSystem: any FileSystem, isExact: Bool
    ) throws -> [UInt8] {
        let text = try fileSystem.readWhole(folder.manifestPath, bytesMax: 1 << 20)
        let manifest = try text.withSlice { slice throws(ManifestError) in
            try Manifest(parsing: slice)
        }
        var stream: [UInt8] = []
        var next: LSN?
        var milliseconds: Int64 = 0
        for (index, line) in manifest.lines.enumerated() {
            func fail(_ reason: String) -> Failure {
                Failure(description: "\(line.name): \(reason)")
            }
            let isNewest = index == manifest.lines.count - 1
            var bytes = try fileSystem.readWhole(folder.path(of: line.name), bytesMax: 1 << 30)
            if let end = line.bytes {
                guard bytes.count >= Int(end) else { throw fail("shorter than the manifest says") }
                bytes.removeLast(bytes.count - Int(end))
            }
            try bytes.withSlice { slice throws(Failure) in
                guard case .line(let opening) = BatchDecoder.opening(slice) else {
                    throw fail("no opening line")
                }
                guard opening.segment == line.sequence, opening.firstLSN == line.firstLSN,
                    opening.history == manifest.history,
                    opening.firstLSN == next ?? opening.firstLSN
                else { throw fail("the opening line doesn't fit: \(opening)") }
                if next == nil { next = opening.firstLSN }
                guard opening.milliseconds >= milliseconds else { throw fail("time goes back") }
                milliseconds = opening.milliseconds
                var rest = slice.dropFirst(opening.totalBytes)
                while !rest.isEmpty {
                    guard case .line(let batch) = BatchDecoder.annotation(rest),
                        rest.count >= batch.lineBytes + Int(batch.recordBytes),
                        batch.firstLSN == next,
                        BatchDecoder.isIntact(
                            batch, line: rest,
                            records: rest.slice(
                                batch.lineBytes..<batch.lineBytes + Int(batch.recordBytes)))
                    else {
                        if isNewest && !isExact { return }
                        throw fail("a bad batch at \(next.map(\.description) ?? "?")")
                    }
                    guard batch.milliseconds >= milliseconds else { throw fail("time goes back") }
                    milliseconds = batch.milliseconds
                    let end = batch.lineBytes + Int(batch.recordBytes)
                    stream += rest.slice(batch.lineBytes..<end).copyToArray()
                    next = batch.endLSN
                    rest = rest.dropFirst(end)
                }
            }
        }
        return stream
    }
}

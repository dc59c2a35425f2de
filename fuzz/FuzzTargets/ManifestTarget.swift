internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log

/// Manifests: what can be read is printed so that it is read the same again. An odd first byte puts a first
/// line of ours with the right checksum in front.
enum ManifestTarget {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var text = Array(bytes.dropFirst())
        if (bytes.first ?? 0) & 1 == 1 {
            let head = Array("#HFM 1 0123456789abcdef0123456789abcdef01234567 17".utf8)
            let crc = (head + text).withSlice { CRC32C.of($0) }
            let digits = String(crc, radix: 16)
            let padded = String(repeating: "0", count: 8 - digits.count) + digits
            text = head + Array(" \(padded)\n".utf8) + text
        }
        guard let manifest = parse(text) else { return }
        let printed = print(manifest)
        // Of comments alone nothing is left, and a file without a byte is no manifest.
        if printed.isEmpty { return }
        guard let again = parse(printed) else { throw FuzzFailure("printed, but not readable") }
        try expect(again.history == manifest.history, "history")
        try expect(again.durable == manifest.durable, "durable")
        let kinds: [Manifest.FileType] = [.base, .history, .incremental]
        let sorted = kinds.flatMap { kind in manifest.lines.filter { $0.type == kind } }
        try expect(again.lines == sorted, "\(again.lines) from \(sorted)")
        try expect(print(again) == printed, "printed twice")
        try expect(manifest.loaded.count <= manifest.lines.count, "loads too much")
    }

    private static func parse(_ text: [UInt8]) -> Manifest? {
        text.withSlice { slice in
            do throws(ManifestError) { return try Manifest(parsing: slice) } catch { return nil }
        }
    }

    private static func print(_ manifest: Manifest) -> [UInt8] {
        var buffer = ByteBuffer()
        manifest.append(to: &buffer)
        return buffer.copyToArray()
    }
}

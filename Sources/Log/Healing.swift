// Names and manifest changes of healing, beside those of LogFolder and Manifest.

extension LogFolder {
    /// The name of a segment that took over from a poisoned one. It isn't that of an ordinary segment,
    /// because it holds batches before the manifest names it: found unlisted, it held nothing that was
    /// acknowledged, while an unlisted ordinary segment with batches means a lost manifest.
    public func healingSegmentName(_ segment: UInt64) -> String {
        "\(fileName).\(segment).heal.incr.aof"
    }

    /// Whether `name` is one that `healingSegmentName` gives.
    public func isHealingSegment(_ name: String) -> Bool {
        name.hasPrefix(fileName + ".") && name.hasSuffix(".heal.incr.aof")
    }
}

extension Manifest {
    mutating func addSegment(_ opening: SegmentWriter.Opening) {
        begin(opening.history)
        lines.append(
            Line(
                name: opening.name, sequence: opening.number, type: .incremental,
                firstLSN: opening.firstLSN))
    }

    /// Says that nothing in the poisoned segment beyond `offset` counts.
    mutating func endSegment(_ name: String, atByte offset: Int64) {
        for index in lines.indices where lines[index].name == name { lines[index].bytes = offset }
    }
}

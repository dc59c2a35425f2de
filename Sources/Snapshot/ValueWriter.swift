internal import HoldfastBytes
internal import Store

/// Writes values in the forms of one version: in snapshots, and in payloads of DUMP.
struct ValueWriter {
    let version: Int

    func form(of entry: Entry) -> ValueForm {
        switch entry.type {
        case .string: .string
        case .list, .set, .sortedSet, .hash, .stream:
            preconditionFailure("no form for values of type \(entry.type)")
        }
    }

    /// Writes the value without the byte that names its form.
    func write(_ entry: Entry, to output: inout SnapshotOutput) throws(SnapshotWriteError) {
        switch form(of: entry) {
        case .string:
            if let integer = entry.integer { return output.write(string: integer) }
            try output.write(string: entry.bytes)
        default: preconditionFailure("a form that isn't written")
        }
    }
}

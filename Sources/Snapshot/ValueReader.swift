internal import HoldfastBytes
internal import Store

/// Reads values of all forms: of snapshots, and of payloads of RESTORE.
struct ValueReader {
    let sanitizes: Bool

    /// Passes over a value.
    func skip(_ form: ValueForm, _ input: inout SnapshotInput) throws(ReadFault) {
        switch form {
        case .string: try input.skipString()
        default:
            throw input.fault(.badForm, detail: Int64(form.rawValue))
        }
    }

    /// Reads a value of a key that isn't there, and puts it there.
    func read(
        _ form: ValueForm, _ input: inout SnapshotInput, into keyspace: inout Keyspace,
        _ key: HashedKey, _ database: Int, deadline: Int64?
    ) throws(ReadFault) {
        let change: DeadlineChange = deadline.map { .set($0) } ?? .clear
        switch form {
        case .string:
            // The key may move while the value is read; its hash stays.
            if let integer = try input.stringOrInteger(into: .second) {
                keyspace.setInteger(
                    HashedKey(input[.key], hash: key.hash), database, to: integer, deadline: change)
            } else {
                keyspace.setString(
                    HashedKey(input[.key], hash: key.hash), database, to: input[.second],
                    deadline: change)
            }
        default:
            throw input.fault(.badForm, detail: Int64(form.rawValue))
        }
    }
}

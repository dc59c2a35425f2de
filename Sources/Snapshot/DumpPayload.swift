public import HoldfastBytes
internal import HoldfastPlatform
public import Store

/// What DUMP gives and RESTORE takes: a value by itself.
///
///     form   1 byte
///     value
///     version of the RDB format   u16, little endian
///     CRC-64 of all before it     u64, little endian; there is no value that stands for "not computed"
public enum DumpPayload {
    static let footerBytes = 10

    /// Appends the payload of a value.
    ///
    /// - Parameters:
    ///   - version: nil for the lowest that holds it.
    ///   - compresses: strings with LZF, where that saves something.
    public static func append(
        _ entry: Entry, version: Int? = nil, compresses: Bool = true, to buffer: inout ByteBuffer
    ) {
        let writer = ValueWriter(version: version ?? ValueWriter.lowestVersion(of: entry))
        var output = SnapshotOutput(compressesStrings: compresses)
        output.buffer.append(writer.form(of: entry).rawValue)
        do throws(SnapshotWriteError) {
            try writer.write(entry, to: &output)
        } catch { preconditionFailure("writing to memory failed: \(error)") }
        output.buffer.append(littleEndian: UInt64(writer.version), bytes: 2)
        let sum = CRC64.of(output.buffer.slice)
        output.buffer.append(littleEndian: sum, bytes: 8)
        buffer.append(output.buffer.slice)
    }

    /// The length of a value in a snapshot, without the byte that names its form: what DEBUG OBJECT shows.
    public static func valueBytes(
        of entry: Entry, version: Int? = nil, compresses: Bool = true
    ) -> Int {
        let writer = ValueWriter(version: version ?? ValueWriter.lowestVersion(of: entry))
        var output = SnapshotOutput(compressesStrings: compresses)
        do throws(SnapshotWriteError) {
            try writer.write(entry, to: &output)
        } catch { preconditionFailure("writing to memory failed: \(error)") }
        return output.buffer.count
    }

    /// Whether version and checksum are such that the value may be read.
    public static func isIntact(_ payload: ByteSlice, verifiesChecksum: Bool = true) -> Bool {
        guard payload.count >= footerBytes else { return false }
        let end = payload.count - footerBytes
        let version = Int(payload[end]) | Int(payload[end + 1]) << 8
        guard version <= SnapshotVersion.newest else { return false }
        let sum = payload.load64(at: end + 2)
        return !verifiesChecksum || sum == CRC64.of(payload.prefix(end + 2))
    }

    /// Reads the value of a payload that is intact; bytes behind it are ignored.
    ///
    /// - Parameters:
    ///   - sanitizes: looks for duplicates in packed values too.
    ///   - sink: takes the value.
    ///   - body: called when the sink has all of it, while whole values that it was given are still valid.
    @discardableResult
    public static func read<R, Sink: ValueSink & ~Copyable>(
        _ payload: ByteSlice, sanitizes: Bool, hasher: ByteHash, into sink: inout Sink,
        then body: (inout Sink) -> R
    ) throws(SnapshotReadError) -> R {
        precondition(payload.count >= footerBytes, "a payload that isn't intact")
        var input = SnapshotInput(payload.prefix(payload.count - footerBytes))
        var form: UInt8?
        do throws(ReadFault) {
            let byte = try input.byte()
            form = byte
            guard let known = ValueForm(rawValue: byte) else {
                throw ReadFault(reason: .badForm, offset: 0, detail: Int64(byte))
            }
            try ValueReader(sanitizes: sanitizes, hasher: hasher).read(
                known, &input, into: &sink)
        } catch {
            throw SnapshotReadError(
                reason: error.reason, offset: error.offset, step: .readObjectValue, key: nil,
                database: 0, form: form, detail: error.detail, system: nil)
        }
        let result = body(&sink)
        extendLifetime(input)
        return result
    }
}

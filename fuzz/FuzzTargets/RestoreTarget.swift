internal import HoldfastBytes
internal import Snapshot
internal import Store

/// Payloads of RESTORE whose checksum was made to fit: a payload is refused and nothing has changed, or it gives a
/// value that all versions of our own payloads bring back.
///
/// The first byte says up to where values are kept packed and whether duplicates are looked for.
enum RestoreTarget {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var input = InputCursor(bytes)
        let head = input.byte()
        var limits = EncodingLimits()
        if head & 1 != 0 { limits = smallLimits }
        let value = input.rest()
        guard let first = restored(value + footer, limits, sanitizes: head & 2 != 0) else { return }
        let digest = first.digest().hex
        for version in 9...12 {
            // The deadlines of a hash's fields are known from version 12 on.
            if hasFieldDeadlines(value), version < 12 { continue }
            guard let payload = dumped(first, version) else {
                throw FuzzFailure("no key after RESTORE")
            }
            try expect(
                payload.withSlice { DumpPayload.isIntact($0) }, "our own payload isn't intact")
            guard let again = restored(payload, limits, sanitizes: head & 2 != 0) else {
                throw FuzzFailure("our own payload of version \(version) is refused")
            }
            // Older streams know less of their past, which the digest doesn't see.
            try expect(
                again.digest().hex == digest, "version \(version) brought another value back")
        }
    }

    /// A version and a checksum, which nobody looks at here.
    private static let footer = [UInt8](repeating: 0, count: 10)

    private static let smallLimits: EncodingLimits = {
        var limits = EncodingLimits()
        limits.hashEntriesMax = 2
        limits.setIntegersMax = 2
        limits.setEntriesMax = 2
        limits.sortedSetEntriesMax = 2
        limits.listNodeSize = 2
        return limits
    }()

    private static func hasFieldDeadlines(_ value: [UInt8]) -> Bool {
        value.first.map { 22...25 ~= $0 } ?? false
    }

    private static func restored(
        _ payload: [UInt8], _ limits: EncodingLimits, sanitizes: Bool
    ) -> Keyspace? {
        var keyspace = Keyspace(databases: 1, seed: 1)
        let hasher = keyspace.hasher
        var builder = ValueBuilder(limits: limits, hasher: hasher)
        builder.begin(epoch: keyspace.epochs.current)
        let isGood = payload.withSlice { bytes in
            let key = keyspace.hashed(ByteSlice("key"))
            do throws(SnapshotReadError) {
                try DumpPayload.read(
                    bytes, sanitizes: sanitizes, hasher: hasher, into: &builder
                ) { builder in keyspace.setValue(key, 0, from: &builder, deadline: .clear) }
                return true
            } catch { return false }
        }
        keyspace.checkInvariants()
        guard isGood else { return nil }
        return keyspace
    }

    private static func dumped(_ keyspace: borrowing Keyspace, _ version: Int) -> [UInt8]? {
        guard let entry = keyspace.find(keyspace.hashed(ByteSlice("key")), 0) else { return nil }
        var payload = ByteBuffer()
        DumpPayload.append(entry, version: version, to: &payload)
        return payload.copyToArray()
    }
}

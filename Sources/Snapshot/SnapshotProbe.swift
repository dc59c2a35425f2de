public import HoldfastBytes
internal import Store

/// Looks whether records of an RDB begin at some place, to go on behind damage.
public enum SnapshotProbe {
    public struct Finding: Sendable {
        /// Whole records that begin there, one behind the other.
        public var records = 0
        /// Of these, keys with a name.
        public var namedKeys = 0
        /// The end of the RDB was reached.
        public var reachesEnd = false
        /// Only the bytes at hand ended it.
        public var isCut = false
        public var bytes = 0
    }

    /// - Parameters:
    ///   - bytes: from the place on, as many as one likes to look at.
    ///   - recordsMax: enough to be sure.
    public static func look(at bytes: ByteSlice, recordsMax: Int) -> Finding {
        var finding = Finding()
        var input = SnapshotInput(bytes)
        let values = ValueReader(sanitizes: false, hasher: ByteHash(seed: 1))
        do throws(ReadFault) {
            while finding.records < recordsMax {
                try record(&input, values, &finding)
                finding.records += 1
                finding.bytes = Int(input.offset)
                if finding.reachesEnd { break }
            }
        } catch {
            finding.isCut = error.reason == .endsEarly || error.reason == .tooMany
        }
        extendLifetime(input)
        return finding
    }

    private static func record(
        _ input: inout SnapshotInput, _ values: ValueReader, _ finding: inout Finding
    ) throws(ReadFault) {
        while true {
            let byte = try input.byte()
            guard let opcode = Opcode(rawValue: byte) else {
                guard let form = ValueForm(rawValue: byte) else {
                    throw ReadFault(reason: .badForm, offset: 0)
                }
                try input.string(into: .key)
                if !input[.key].isEmpty { finding.namedKeys += 1 }
                return try values.skip(form, &input)
            }
            switch opcode {
            case .deadlineSeconds: try input.skip(4)
            case .deadlineMilliseconds: try input.skip(8)
            case .frequency: try input.skip(1)
            case .idle: _ = try input.length()
            case .aux:
                try input.skipString()
                return try input.skipString()
            case .function: return try input.skipString()
            case .functionPreview: throw ReadFault(reason: .previewFunction, offset: 0)
            case .moduleAux: return try input.skipModuleAux()
            case .slotInfo: for _ in 0..<3 { _ = try input.length() }
            case .select:
                guard try input.length() < 1 << 20 else {
                    throw ReadFault(reason: .badDatabase, offset: 0)
                }
                return
            case .resize:
                _ = try input.length()
                _ = try input.length()
                return
            case .end:
                try input.skip(8)
                guard input.bytesLeftMax == 0 else {
                    throw ReadFault(reason: .bytesLeft, offset: 0)
                }
                finding.reachesEnd = true
                return
            }
        }
    }
}

/// Data of modules, which this server doesn't have: it can be passed over, since it says its own extent.
///
///     { opcode, data }   1 signed, 2 unsigned: a length; 3 float: 4 bytes; 4 double: 8 bytes; 5 a string
///     0
enum ModuleData {
    static let end: UInt64 = 0

    /// The nine letters of a module's name in its id.
    static func name(_ id: UInt64) -> String {
        let letters = Array(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".utf8)
        let bytes = (0..<9).map { index in
            letters[Int(id >> UInt64(10 + 6 * (8 - index))) & 63]
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension SnapshotInput {
    mutating func skipModuleData() throws(ReadFault) {
        while true {
            let start = offset
            switch try length() {
            case 0: return
            case 1, 2: _ = try length()
            case 3: try skip(4)
            case 4: try skip(8)
            case 5: try skipString()
            case let other:
                throw ReadFault(
                    reason: .badModuleOpcode, offset: start,
                    detail: Int64(truncatingIfNeeded: other))
            }
        }
    }

    /// Passes over an auxiliary field of a module: its id, then when it is to be given to it.
    mutating func skipModuleAux() throws(ReadFault) {
        _ = try length()
        let start = offset
        guard try length() == 2 else { throw ReadFault(reason: .badModuleAux, offset: start) }
        _ = try length()
        try skipModuleData()
    }
}

/// What a server holds, read through its own commands.
public struct DataSet: Equatable {
    public struct Value: Equatable, CustomStringConvertible {
        public var bytes: [UInt8]
        /// Unix time in ms.
        public var deadline: Int64?
        public var encoding: String

        public var description: String {
            "\(Reply.quoted(bytes)) \(encoding) until \(deadline.map(String.init) ?? "-")"
        }
    }

    /// By number of the database; those without keys are left out.
    public private(set) var databases: [Int: [[UInt8]: Value]] = [:]

    /// Reads all strings, and digests of all other values, of the first `databaseCount` databases; the connection is in database 0 then.
    public init(of connection: RESPConnection, databaseCount: Int = 16) throws {
        for number in 0..<databaseCount {
            try connection.command("SELECT", String(number))
            let names = try connection.command("KEYS", "*").items?.compactMap(\.bytes) ?? []
            if names.isEmpty { continue }
            var found: [[UInt8]: Value] = [:]
            for start in stride(from: 0, to: names.count, by: 500) {
                let part = names[start..<min(start + 500, names.count)]
                let requests: [[[UInt8]]] = part.flatMap { name in
                    [
                        [Array("GET".utf8), name], [Array("PEXPIRETIME".utf8), name],
                        [Array("OBJECT".utf8), Array("ENCODING".utf8), name],
                        [Array("DEBUG".utf8), Array("DIGEST-VALUE".utf8), name],
                    ]
                }
                let replies = try connection.pipeline(requests)
                for (index, name) in part.enumerated() {
                    let string = replies[4 * index]
                    let deadline = replies[4 * index + 1].integer ?? -1
                    let digest = replies[4 * index + 3].items?.first?.bytes
                    found[name] = Value(
                        bytes: (string.isError ? digest : string.bytes) ?? [],
                        deadline: deadline < 0 ? nil : deadline,
                        encoding: replies[4 * index + 2].text ?? "")
                }
            }
            databases[number] = found
        }
        try connection.command("SELECT", "0")
    }

    public var keyCount: Int { databases.values.reduce(0) { $0 + $1.count } }

    public subscript(_ database: Int, _ key: String) -> [UInt8]? {
        databases[database]?[Array(key.utf8)]?.bytes
    }

    /// What differs, a line each.
    ///
    /// - Parameters:
    ///   - milliseconds: deadlines may differ by so much.
    ///   - encodings: whether these must agree.
    public func differences(
        from other: DataSet, deadlinesWithin milliseconds: Int64 = 0, encodings: Bool = true
    ) -> [String] {
        var lines: [String] = []
        for number in Set(databases.keys).union(other.databases.keys).sorted() {
            let (mine, theirs) = (databases[number] ?? [:], other.databases[number] ?? [:])
            for key in Set(mine.keys).union(theirs.keys) {
                var (left, right) = (mine[key], theirs[key])
                if !encodings {
                    left?.encoding = ""
                    right?.encoding = ""
                }
                if let one = left?.deadline, let two = right?.deadline {
                    let (distance, overflow) = one.subtractingReportingOverflow(two)
                    if !overflow && distance.magnitude <= milliseconds { right?.deadline = one }
                }
                if left == right { continue }
                let (one, two) = (left?.description ?? "none", right?.description ?? "none")
                lines.append("\(number):\(Reply.quoted(key)): \(one) ≠ \(two)")
            }
        }
        return lines.sorted()
    }
}

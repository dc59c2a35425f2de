/// What was denied to whom lately, the newest first; the same again within a minute is counted, not added.
struct AccessLog {
    struct Entry {
        var id: Int64
        var count: Int
        var kind: AccessDenial.Kind
        var context: String
        var object: [UInt8]
        var user: [UInt8]
        var client: String
        /// Unix ms.
        var createdAt: Int64
        var updatedAt: Int64
    }

    private static let groupingMilliseconds: Int64 = 60_000

    private(set) var entries: [Entry] = []
    private var nextID: Int64 = 0
    /// `acllog-max-len`; entries there already stay until the next one comes.
    var lengthMax = 128

    mutating func add(
        _ kind: AccessDenial.Kind, context: String, object: [UInt8], user: [UInt8], client: String,
        now: Int64
    ) {
        let same = entries.prefix(10).firstIndex {
            $0.kind == kind && $0.context == context && $0.object == object && $0.user == user
                && now - $0.updatedAt <= Self.groupingMilliseconds
        }
        if let same {
            var entry = entries.remove(at: same)
            entry.count += 1
            entry.updatedAt = now
            entry.client = client
            entries.insert(entry, at: 0)
            return
        }
        let entry = Entry(
            id: nextID, count: 1, kind: kind, context: context, object: object, user: user,
            client: client, createdAt: now, updatedAt: now)
        nextID += 1
        entries.insert(entry, at: 0)
        if entries.count > lengthMax { entries.removeLast(entries.count - lengthMax) }
    }

    mutating func reset() { entries = [] }
}

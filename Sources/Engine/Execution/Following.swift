public import HoldfastBytes
public import HoldfastRESP
public import Store

/// What a primary's stream holds besides commands on data and what frames transactions.
public enum StreamMessage: Equatable, Sendable {
    /// PING: nothing but a sign of life.
    case ping
    /// `REPLCONF GETACK *`
    case control
    /// PUBLISH, SPUBLISH
    case publish, publishInShard
    /// FUNCTION and SCRIPT, which change no key.
    case libraries

    public init?(_ name: ByteSlice) {
        if name.equalsIgnoringCase("ping") {
            self = .ping
        } else if name.equalsIgnoringCase("replconf") {
            self = .control
        } else if name.equalsIgnoringCase("publish") {
            self = .publish
        } else if name.equalsIgnoringCase("spublish") {
            self = .publishInShard
        } else if name.equalsIgnoringCase("function") || name.equalsIgnoringCase("script") {
            self = .libraries
        } else {
            return nil
        }
    }
}

/// A replica's way of applying what its primary did: as replay does it, but others are told.
extension Dispatcher {
    /// Why a record can't be part of this server's log, or nil if it can: only such as can be read again at a start.
    public func fault(ofRecord words: Arguments) -> String? {
        let name = words[0]
        var row = Int(rows.cached(name))
        if row < 0 {
            guard let found = table.lookup(name) else {
                return "the command '\(Self.shown(name))' is unknown here"
            }
            row = found
            rows.remember(name, Int32(truncatingIfNeeded: found))
        }
        var facts = rows.facts(row)
        if facts.hasSubcommands, words.count > 1, let found = table.lookup(words[1], in: row) {
            facts = rows.facts(found)
        }
        if facts.isData {
            return facts.accepts(words.count)
                ? nil : "'\(Self.shown(name))' with \(words.count) words"
        }
        if name.equalsIgnoringCase("select") {
            guard words.count == 2, let number = DecimalText.parse(words[1]), number >= 0,
                number < Int64(context.keyspace.databaseCount)
            else {
                let word = words.count > 1 ? Self.shown(words[1]) : ""
                return "database \(word) is not configured here"
            }
            return nil
        }
        if name.equalsIgnoringCase("multi") || name.equalsIgnoringCase("exec") {
            return words.count == 1 ? nil : "'\(Self.shown(name))' with \(words.count) words"
        }
        if let message = StreamMessage(name) {
            let isPublish = message == .publish || message == .publishInShard
            return isPublish && words.count != 3 ? "a message without channel and text" : nil
        }
        return "the command '\(Self.shown(name))' does not belong into a stream"
    }

    private static func shown(_ word: ByteSlice) -> String {
        let bytes = word.prefix(64).copyToArray().map { $0 >= 32 && $0 < 127 ? $0 : 63 }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// As `replay`, for what the primary has just done: key events and invalidations are collected.
    public mutating func follow(
        row: Int, _ arguments: Arguments, keyHash: UInt64, at now: Int64
    ) -> Replayed {
        context.tellsOfReplay = true
        defer { context.tellsOfReplay = false }
        return replay(row: row, arguments, keyHash: keyHash, at: now)
    }

    /// Puts other data in the place of all there is: everybody who watches, waits or caches is told.
    ///
    /// - Parameter new: hashes as the old one does. Nothing may be frozen.
    /// - Returns: the old data, which another thread may free.
    public mutating func replaceData(with new: consuming Keyspace) -> Keyspace {
        var keyspace = consume new
        keyspace.takePlace(of: context.keyspace)
        swap(&context.keyspace, &keyspace)
        for mark in watches.marks + blocked.marks {
            watches.touch(mark)
            blocked.touch(mark)
        }
        context.noteFlush()
        context.changedKeys.restart()
        undurable.forgetAll()
        return keyspace
    }
}

/// What COMMAND DOCS says under `history`: since which version of Redis a command can do more. One row a line, read
/// at first use; versions and texts alternate after the name.
enum CommandHistory {
    struct Change: Equatable, Sendable {
        var version: String
        var text: String
    }

    /// By the command's full name.
    static let all: [String: [Change]] = {
        var result: [String: [Change]] = [:]
        for line in table.split(separator: "\n") {
            let columns = line.split(separator: "|", omittingEmptySubsequences: false)
            let parts = columns.map { part in String(part.drop { $0 == " " }) }
                .map { part in part.last == " " ? String(part.dropLast()) : part }
            precondition(parts.count % 2 == 1 && parts.count > 1, "bad row of history: \(line)")
            let name = parts[0].split(separator: " ").joined(separator: "|")
            result[name] = stride(from: 1, to: parts.count, by: 2).map {
                Change(version: parts[$0], text: parts[$0 + 1])
            }
        }
        return result
    }()

    private static let table = """
        acl getuser | 6.2.0 | Shows patterns of channels. | 7.0.0 | Shows selectors, and patterns of keys and channels as rules.
        acl log | 7.2.0 | Shows an identifier, and when an entry was made and last changed.
        acl setuser | 6.2.0 | Takes patterns of channels. | 7.0.0 | Takes selectors and permissions by key.
        auth | 6.0.0 | Takes the name of a user before the password.
        bgsave | 3.2.2 | Takes SCHEDULE.
        bitcount | 7.0.0 | Takes BYTE or BIT.
        bitpos | 7.0.0 | Takes BYTE or BIT.
        blpop | 6.0.0 | The timeout may have a fraction.
        brpop | 6.0.0 | The timeout may have a fraction.
        brpoplpush | 6.0.0 | The timeout may have a fraction.
        bzpopmax | 6.0.0 | The timeout may have a fraction.
        bzpopmin | 6.0.0 | The timeout may have a fraction.
        client kill | 2.8.12 | Takes filters by name and value. | 2.8.12 | Takes ID. | 3.2.0 | TYPE takes master. | 5.0.0 | TYPE takes replica; slave still means the same. | 6.2.0 | Takes LADDR.
        client list | 2.8.12 | Shows id, which no other client ever has. | 5.0.0 | Takes TYPE. | 6.0.0 | Shows user. | 6.2.0 | Shows argv-mem, tot-mem, laddr and redir, and takes ID. | 7.0.0 | Shows resp, multi-mem, rbs and rbp. | 7.0.3 | Shows ssub.
        client pause | 6.2.0 | Takes a mode, which may let reads go on.
        command info | 7.0.0 | Without names it tells of all commands.
        config get | 7.0.0 | Takes several patterns.
        config set | 7.0.0 | Sets several parameters at once.
        exists | 3.0.3 | Takes several keys.
        expire | 7.0.0 | Takes NX, XX, GT and LT.
        expireat | 7.0.0 | Takes NX, XX, GT and LT.
        flushall | 4.0.0 | Takes ASYNC. | 6.2.0 | Takes SYNC.
        flushdb | 4.0.0 | Takes ASYNC. | 6.2.0 | Takes SYNC.
        geoadd | 6.2.0 | Takes CH, NX and XX.
        georadius | 6.2.0 | COUNT takes ANY. | 7.0.0 | Units may be in upper case.
        georadius_ro | 6.2.0 | COUNT takes ANY.
        georadiusbymember | 7.0.0 | Units may be in upper case.
        geosearch | 7.0.0 | Units may be in upper case.
        geosearchstore | 7.0.0 | Units may be in upper case.
        hdel | 2.4.0 | Takes several fields.
        hello | 6.2.0 | Without a version it tells of the connection as it is.
        hset | 4.0.0 | Takes several fields with their values.
        info | 7.0.0 | Takes several sections.
        lpop | 6.2.0 | Takes a count.
        lpush | 2.4.0 | Takes several elements.
        lpushx | 4.0.0 | Takes several elements.
        migrate | 3.0.0 | Takes COPY and REPLACE. | 3.0.6 | Takes KEYS. | 4.0.7 | Takes AUTH. | 6.0.0 | Takes AUTH2.
        pexpire | 7.0.0 | Takes NX, XX, GT and LT.
        pexpireat | 7.0.0 | Takes NX, XX, GT and LT.
        pttl | 2.8.0 | Answers -2 for a key that isn't there.
        renamenx | 3.2.0 | Two equal names are no error any more.
        restore | 3.0.0 | Takes REPLACE. | 5.0.0 | Takes ABSTTL. | 5.0.0 | Takes IDLETIME and FREQ.
        restore-asking | 3.0.0 | Takes REPLACE. | 5.0.0 | Takes ABSTTL. | 5.0.0 | Takes IDLETIME and FREQ.
        rpop | 6.2.0 | Takes a count.
        rpush | 2.4.0 | Takes several elements.
        rpushx | 4.0.0 | Takes several elements.
        sadd | 2.4.0 | Takes several members.
        scan | 6.0.0 | Takes TYPE.
        set | 2.6.12 | Takes EX, PX, NX and XX. | 6.0.0 | Takes KEEPTTL. | 6.2.0 | Takes GET, EXAT and PXAT. | 7.0.0 | Takes NX and GET together.
        shutdown | 7.0.0 | Takes NOW, FORCE and ABORT.
        slowlog get | 4.0.0 | Shows address, port and name of the client.
        spop | 3.2.0 | Takes a count.
        srandmember | 2.6.0 | Takes a count.
        srem | 2.4.0 | Takes several members.
        ttl | 2.8.0 | Answers -2 for a key that isn't there.
        xadd | 6.2.0 | Takes NOMKSTREAM, MINID and LIMIT. | 7.0.0 | Takes an identifier of which only the time is given.
        xautoclaim | 7.0.0 | Tells of the deleted entries that were dropped from the pending ones.
        xgroup create | 7.0.0 | Takes ENTRIESREAD.
        xgroup setid | 7.0.0 | Takes ENTRIESREAD.
        xinfo consumers | 7.2.0 | Shows inactive.
        xinfo groups | 7.0.0 | Shows entries-read and lag.
        xinfo stream | 6.0.0 | Takes FULL. | 7.0.0 | Shows max-deleted-entry-id, entries-added, recorded-first-entry-id, entries-read and lag. | 7.2.0 | Shows active-time, and seen-time means something else.
        xpending | 6.2.0 | Takes IDLE, and ranges without their ends.
        xrange | 6.2.0 | Takes ranges without their ends.
        xrevrange | 6.2.0 | Takes ranges without their ends.
        xsetid | 7.0.0 | Takes ENTRIESADDED and MAXDELETEDID.
        xtrim | 6.2.0 | Takes MINID and LIMIT.
        zadd | 2.4.0 | Takes several members. | 3.0.2 | Takes XX, NX, CH and INCR. | 6.2.0 | Takes GT and LT.
        zrange | 6.2.0 | Takes REV, BYSCORE, BYLEX and LIMIT.
        zrangebyscore | 2.0.0 | Takes WITHSCORES.
        zrank | 7.2.0 | Takes WITHSCORE.
        zrem | 2.4.0 | Takes several members.
        zrevrangebyscore | 2.1.6 | Takes ranges without their ends.
        zrevrank | 7.2.0 | Takes WITHSCORE.
        """
}

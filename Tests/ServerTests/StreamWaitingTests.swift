import TestSupport
import Testing

@Suite("Commands that wait for streams")
struct StreamWaitingTests {
    let server: ServerProcess
    let writer: RESPConnection

    init() throws {
        server = try ServerProcess()
        writer = try server.connect()
    }

    /// Sends a command that will wait, and returns when it does.
    private func waiting(
        _ words: String..., version: Int = 2, others: Int = 0
    ) throws -> RESPConnection {
        let reader = try server.connect(version: version)
        try reader.send(Request.encode(words.map { Array($0.utf8) }))
        while try blockedCount() <= others {}
        return reader
    }

    private func blockedCount() throws -> Int {
        let info = try writer.command("INFO", "clients").text ?? ""
        let line = info.split(whereSeparator: \.isNewline).first {
            $0.hasPrefix("blocked_clients:")
        }
        return line.flatMap { Int($0.dropFirst(16)) } ?? 0
    }

    private static func entry(_ id: String) -> Reply {
        .array([.bulk(id), .array([.bulk("a"), .bulk("b")])])
    }

    @Test("XREAD with $ gets what is added after it began to wait, once")
    func readsNew() throws {
        _ = try writer.command("XADD", "s", "1-1", "a", "b")
        let reader = try waiting("XREAD", "BLOCK", "0", "STREAMS", "t", "s", "0", "$", version: 3)
        // An entry that is gone again by the end of the transaction wakes nobody.
        _ = try writer.command("MULTI")
        _ = try writer.command("XADD", "s", "2-1", "a", "b")
        _ = try writer.command("XDEL", "s", "2-1")
        _ = try writer.command("EXEC")
        #expect(try blockedCount() == 1)
        _ = try writer.command("XADD", "s", "3-1", "a", "b")
        #expect(
            try reader.receive() == .map([.init(.bulk("s"), .array([Self.entry("3-1")]))]))
        #expect(try blockedCount() == 0)
    }

    @Test("entries go to the consumers of a group in the order in which they began to wait")
    func sharesEntries() throws {
        _ = try writer.command("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
        let first = try waiting(
            "XREADGROUP", "GROUP", "g", "one", "BLOCK", "0", "STREAMS", "s", ">")
        let second = try waiting(
            "XREADGROUP", "GROUP", "g", "two", "BLOCK", "0", "STREAMS", "s", ">", others: 1)
        _ = try writer.command("XADD", "s", "1-1", "a", "b")
        _ = try writer.command("XADD", "s", "1-2", "a", "b")
        #expect(
            try first.receive() == .array([.array([.bulk("s"), .array([Self.entry("1-1")])])]))
        #expect(
            try second.receive() == .array([.array([.bulk("s"), .array([Self.entry("1-2")])])]))
        #expect(
            try writer.command("XPENDING", "s", "g").items?.last
                == .array([
                    .array([.bulk("one"), .bulk("1")]), .array([.bulk("two"), .bulk("1")]),
                ]))
    }

    @Test("who waits in a group is told when the group or its stream goes", arguments: [0, 1, 2])
    func groupGoes(way: Int) throws {
        _ = try writer.command("XGROUP", "CREATE", "s", "g", "$", "MKSTREAM")
        let reader = try waiting(
            "XREADGROUP", "GROUP", "g", "one", "BLOCK", "0", "STREAMS", "s", ">")
        let words = [["XGROUP", "DESTROY", "s", "g"], ["DEL", "s"], ["SET", "s", "text"]][way]
        _ = try writer.command(words)
        let expected: Reply =
            way == 2
            ? .error("WRONGTYPE Operation against a key holding the wrong kind of value")
            : .error(
                "NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP option")
        #expect(try reader.receive() == expected)
    }

    @Test("a wait ends with nothing when its time is up")
    func timesOut() throws {
        let reader = try server.connect()
        #expect(try reader.command("XREAD", "BLOCK", "5", "STREAMS", "s", "0") == .nullArray)
        #expect(try reader.command("XREAD", "STREAMS", "s", "0") == .nullArray)
        _ = try reader.command("MULTI")
        _ = try reader.command("XREAD", "BLOCK", "0", "STREAMS", "s", "0")
        #expect(try reader.command("EXEC") == .array([.nullArray]))
    }
}

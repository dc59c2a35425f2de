import TestSupport
import Testing

/// What sessions are told besides their replies: by publishers, by the keyspace, by invalidation. The same
/// conversations are held with stock redis-server.
@Suite("Messages to sessions, beside redis-server", .serialized)
struct MessageTests {
    /// - Parameter third: connections whose name begins with this speak RESP3.
    private static func compare(_ script: String, third: String = "3") throws {
        let ours = try ServerProcess(["--save", ""])
        let stock = try StockServer()
        let here = try Conversation.run(script) { name in
            try ours.connectUnix(version: name.hasPrefix(third) ? 3 : 2)
        }
        let there = try Conversation.run(script) { name in
            try stock.connect(version: name.hasPrefix(third) ? 3 : 2)
        }
        for (line, (own, other)) in zip(here, there).enumerated() where own != other {
            let before = here[max(line - 6, 0)..<line].joined(separator: "\n")
            Issue.record("after\n\(before)\nours:  \(own)\nstock: \(other)")
            return
        }
        #expect(here.count == there.count)
    }

    @Test("subscribing, publishing, and what a subscriber in RESP2 may still say")
    func channels() throws {
        try Self.compare(
            """
            a SUBSCRIBE c1 c2
            a PSUBSCRIBE c* d?
            b PUBLISH c1 hello
            b PUBLISH dx hi
            b PUBLISH nope hi
            a GET x
            a MULTI
            a CLIENT LIST
            a PING
            a PING arg
            a PING a b
            a SUBSCRIBE
            b PUBSUB NUMPAT
            b PUBSUB NUMSUB c1 c9
            b PUBSUB NUMSUB
            b PUBSUB CHANNELS d*
            b PUBSUB CHANNELS c1
            b PUBSUB CHANNELS a b
            b PUBSUB FOO
            b PUBSUB SHARDCHANNELS
            a SSUBSCRIBE s1
            b SPUBLISH s1 data
            b PUBSUB SHARDCHANNELS
            b PUBSUB SHARDNUMSUB s1 c1
            b PUBLISH s1 data
            a UNSUBSCRIBE c1
            a UNSUBSCRIBE c1
            a UNSUBSCRIBE
            a UNSUBSCRIBE
            a PUNSUBSCRIBE c*
            a PUNSUBSCRIBE
            a GET x
            a SUNSUBSCRIBE
            a GET x
            a SUNSUBSCRIBE
            m MULTI ;; SUBSCRIBE q1 q2 ;; PING ;; EXEC
            b PUBLISH q1 x
            m RESET
            b PUBLISH q1 x
            """)
    }

    @Test("subscribers in RESP3 get pushes and may say anything")
    func pushes() throws {
        let server = try ServerProcess()
        let reader = try server.connect(version: 3)
        let writer = try server.connect()
        #expect(
            try reader.command("SUBSCRIBE", "c")
                == .push([.bulk("subscribe"), .bulk("c"), .integer(1)]))
        #expect(try reader.command("GET", "x") == .null)
        #expect(try reader.command("PING") == .simple("PONG"))
        #expect(try writer.command("PUBLISH", "c", "m") == .integer(1))
        let message = Reply.push([.bulk("message"), .bulk("c"), .bulk("m")])
        #expect(try reader.receive() == message)
        // To oneself: behind the reply, also of EXEC.
        #expect(try reader.command("PUBLISH", "c", "m") == .integer(1))
        #expect(try reader.receive() == message)
        let replies = try reader.pipeline([
            ["MULTI"], ["PUBLISH", "c", "m"], ["GET", "x"], ["EXEC"],
        ])
        #expect(replies[3] == .array([.integer(1), .null]))
        #expect(try reader.receive() == message)
        // Pushes are no replies that CLIENT REPLY could silence.
        try reader.send(Request.encode(["CLIENT", "REPLY", "OFF"]))
        #expect(
            try reader.command("SUBSCRIBE", "d")
                == .push([.bulk("subscribe"), .bulk("d"), .integer(2)]))
        _ = try writer.command("PUBLISH", "c", "m")
        #expect(try reader.receive() == message)
    }

    @Test("every command on strings and keys tells of its events")
    func keyEvents() throws {
        try Self.compare(
            """
            b DEBUG SET-ACTIVE-EXPIRE 0
            b CONFIG SET notify-keyspace-events KEA
            b SET before 1
            k PSUBSCRIBE __key*
            b SET k 1
            b SET k 2 EX 100
            b SETEX k2 10 a
            b MSET m1 1 m2 2
            b MSETNX m3 1 m4 2
            b SETNX m5 3
            b GETSET m5 4
            b APPEND m5 xx
            b APPEND m6 xx
            b SETRANGE m6 3 xx
            b SETRANGE m66 3 ''
            b INCR n
            b INCRBY n 4
            b DECR n
            b INCRBYFLOAT n 1.5
            b GETDEL n
            b GETDEL n
            b GETEX k PERSIST
            b GETEX k PERSIST
            b GETEX k EX 5
            b GETEX k EXAT 5
            b SET k 1
            b EXPIRE k 100
            b PERSIST k
            b EXPIRE k -1
            b SET k 1
            b RENAME k kk
            b RENAMENX kk m1
            b COPY kk k3
            b COPY kk k3 REPLACE
            b COPY kk k3 DB 3
            b MOVE k3 4
            b SETBIT bm 7 1
            b BITFIELD bm SET u8 0 5
            b BITFIELD bm GET u8 0
            b BITOP AND dest bm m1
            b BITOP AND dest nokey
            b DEL m1 m2 nokey
            b UNLINK m3 m4
            b MULTI ;; SET a 1 ;; INCR a ;; DEL a ;; PUBLISH __key x ;; EXEC
            b SET e 1 PX 1
            b DEBUG SLEEP 0.01
            b GET e
            b SET e 1 PX 1
            b DEBUG SLEEP 0.01
            b SET e 2
            b SET e 1 PX 1
            b DEBUG SLEEP 0.01
            b RENAME e e2
            b FLUSHDB
            b CONFIG SET notify-keyspace-events Em
            b GET nokey
            b SET yes 1
            b MGET yes nokey
            b EXISTS nokey
            b TTL nokey
            b TYPE nokey
            b OBJECT ENCODING nokey
            b STRLEN nokey
            b GETDEL nokey
            b GETEX nokey
            b APPEND nokey1 x
            b INCR nokey2
            b TOUCH nokey
            b SET nokey3 x XX
            b SET nokey3 x GET
            b GETSET nokey4 x
            b COPY nokey5 a
            b RENAME nokey5 a
            b GETRANGE nokey 0 1
            b GETBIT nokey 1
            b BITCOUNT nokey
            b BITPOS nokey 1
            b BITOP OR d nokey
            b BITFIELD nokey GET u8 0
            b BITFIELD_RO nokey GET u8 0
            b LCS nokey nokey2
            b CONFIG SET notify-keyspace-events KEn
            b SET new1 1
            b SET new1 2
            b RENAME new1 new2
            b RENAME new2 nokey1
            b COPY nokey1 nokey2
            b COPY nokey1 nokey2 REPLACE
            b MOVE nokey1 9
            b INCR new8
            b CONFIG SET notify-keyspace-events K
            b SET x y
            b CONFIG GET notify-keyspace-events
            """)
    }

    @Test("tracking tells whoever caches a key that it changed, in all modes")
    func tracking() throws {
        try Self.compare(
            """
            b DEBUG SET-ACTIVE-EXPIRE 0
            a CLIENT TRACKING ON
            a SET k 1
            a GET k
            b SET k 2
            b SET k 3
            a GET k
            a SET k 4
            a MGET k k2 k3
            b MSET k2 1 k3 2
            b DEL k
            a GET k
            b FLUSHALL
            a GET k
            a FLUSHDB
            b SELECT 3
            a GET k
            b SET k 1
            a CLIENT TRACKING OFF
            a CLIENT TRACKINGINFO
            a CLIENT TRACKING ON NOLOOP
            a GET k
            a SET k 1
            b SET k 1
            a CLIENT TRACKINGINFO
            a CLIENT GETREDIR
            a CLIENT TRACKING ON OPTIN
            a CLIENT TRACKING ON OPTOUT
            a CLIENT TRACKING ON BCAST
            a CLIENT TRACKING OFF
            a CLIENT TRACKING ON OPTIN
            a GET o1
            b SET o1 1
            a CLIENT CACHING NO
            a CLIENT CACHING FOO
            a CLIENT CACHING YES ;; CLIENT TRACKINGINFO ;; GET o1 ;; GET o2
            b MSET o1 1 o2 2
            a CLIENT CACHING YES ;; MULTI ;; GET o1 ;; GET o2 ;; EXEC
            b MSET o1 1 o2 2
            a CLIENT CACHING YES ;; MULTI ;; GET o1 ;; DISCARD ;; GET o1
            b SET o1 2
            a CLIENT TRACKING OFF
            a CLIENT CACHING YES
            a CLIENT TRACKING ON OPTOUT
            a GET o1
            a CLIENT CACHING NO ;; CLIENT TRACKINGINFO ;; GET o2
            b MSET o1 1 o2 2
            a CLIENT TRACKING OFF
            a CLIENT TRACKING ON PREFIX a
            a CLIENT TRACKING ON BCAST PREFIX ab PREFIX a
            a CLIENT TRACKING ON BCAST PREFIX x PREFIX y
            a CLIENT TRACKING ON BCAST PREFIX xx
            a CLIENT TRACKING ON BCAST OPTIN
            a CLIENT TRACKINGINFO
            b SET x1 1
            b MSET y1 1 x2 2 z3 3
            b INCR xcount
            b DEL x1 y1
            a SET x9 9
            b MULTI ;; SET xa 1 ;; SET xb 1 ;; SET xa 2 ;; EXEC
            b RENAME x9 y9
            b COPY y9 x99
            b EXPIRE x99 100
            b SET x66 1 PX 1
            b DEBUG SLEEP 0.01
            b GET x66
            b FLUSHDB
            a CLIENT TRACKING OFF
            a CLIENT TRACKINGINFO
            a CLIENT TRACKING ON BCAST NOLOOP
            a SET g 1
            b SET g 1
            a CLIENT TRACKING OFF
            a CLIENT TRACKING ON OPTIN OPTOUT
            a CLIENT TRACKING ON REDIRECT 99999
            a CLIENT TRACKING ON REDIRECT abc
            a CLIENT TRACKING ON REDIRECT
            a CLIENT TRACKING ON FOO
            a CLIENT TRACKING MAYBE
            a CLIENT TRACKING ON REDIRECT @b REDIRECT @b
            s SUBSCRIBE __redis__:invalidate
            t CLIENT TRACKING ON REDIRECT @s
            t GET w
            b SET w 1
            t GET w
            b FLUSHALL
            t GET w
            b SET w 1
            s close
            b SET w 2
            """, third: "a")
    }

    @Test("messages about a write wait for the disk as its reply does")
    func gated() throws {
        let server = try ServerProcess(["--appendfsync", "always"])
        let reader = try server.connect(version: 3)
        let writer = try server.connect()
        _ = try reader.command("CLIENT", "TRACKING", "ON")
        _ = try writer.command("CONFIG", "SET", "notify-keyspace-events", "KEA")
        let listener = try server.connect()
        _ = try listener.command("PSUBSCRIBE", "__keyevent@0__:set")
        for round in 0..<50 {
            _ = try reader.command("GET", "k")
            #expect(try writer.command("SET", "k", "\(round)") == .ok)
            #expect(
                try reader.receive() == .push([.bulk("invalidate"), .array([.bulk("k")])]))
            #expect(try listener.receive().items?.last == .bulk("k"))
        }
    }

    @Test("the table of tracked keys obeys its limit, and INFO shows it")
    func trackingLimit() throws {
        let server = try ServerProcess(["--tracking-table-max-keys", "2"])
        let reader = try server.connect(version: 3)
        _ = try reader.command("CLIENT", "TRACKING", "ON")
        _ = try reader.command("MGET", "a", "b", "c", "d")
        var told: Set<String> = []
        for _ in 0..<2 {
            let items = try #require(reader.receive().items)
            #expect(items[0] == .bulk("invalidate"))
            told.insert(try #require(items[1].items?.first?.text))
        }
        #expect(told.count == 2)
        let info = try #require(reader.command("INFO", "everything").text)
        #expect(info.contains("tracking_total_keys:2\r\n"))
        #expect(info.contains("tracking_total_items:2\r\n"))
        #expect(info.contains("tracking_clients:1\r\n"))
        #expect(try #require(reader.command("CLIENT", "INFO").text).contains("flags=t "))
    }

    @Test("a subscriber that doesn't read is cut off at its class's limit")
    func outputLimit() throws {
        let server = try ServerProcess(["--client-output-buffer-limit", "pubsub 1mb 0 0"])
        let reader = try server.connect()
        _ = try reader.command("SUBSCRIBE", "c")
        let writer = try server.connect()
        let payload = String(repeating: "x", count: 100_000)
        var receivers: Int64 = 1
        for _ in 0..<1000 where receivers > 0 {
            receivers = try #require(writer.command("PUBLISH", "c", payload).integer)
        }
        #expect(receivers == 0)
        let info = try #require(writer.command("INFO", "stats").text)
        #expect(info.contains("client_output_buffer_limit_disconnections:1\r\n"))
    }

    @Test("MONITOR shows who ran what, without secrets and administration")
    func monitor() throws {
        func lines(_ connect: () throws -> RESPConnection) throws -> [String] {
            let monitor = try connect()
            let other = try connect()
            #expect(try monitor.command("MONITOR") == .ok)
            let commands = [
                ["SET", "a\"b\\ \n\u{1}é", "1"], ["GET", "a"], ["AUTH", "u", "secret"],
                ["HELLO", "2", "AUTH", "u", "secret"], ["CONFIG", "GET", "port"], ["MULTI"],
                ["INCR", "n"], ["EXEC"], ["SELECT", "3"], ["FOO"], ["GET"],
                ["INCR", "a\"b\\ \n\u{1}é"],
                ["RESET"], ["SUBSCRIBE", "x"], ["PING", "end"],
            ]
            for command in commands { _ = try other.command(command) }
            var seen: [String] = []
            while seen.last?.contains("\"end\"") != true {
                var line = try #require(monitor.receive().text)
                let stamp = line.prefix { $0 != " " }
                let digits = String(stamp).split(separator: "." as Character)
                #expect(digits.map { $0.count } == [10, 6])
                line = line.replacing(/unix:[^\]]*/, with: "unix")
                seen.append(String(line.dropFirst(stamp.count)))
            }
            #expect(
                try monitor.command("GET", "a")
                    == .error("ERR Replica can't interact with the keyspace"))
            return seen
        }
        let ours = try ServerProcess()
        let stock = try StockServer()
        let here = try lines { try ours.connectUnix() }
        #expect(here == (try lines { try stock.connect() }))
        #expect(here.contains(" [0 unix] \"AUTH\" \"(redacted)\" \"(redacted)\""))
    }
}

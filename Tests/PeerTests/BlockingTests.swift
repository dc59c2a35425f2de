import Foundation
import TestSupport
import Testing

/// Commands that wait. The same conversations are held with stock redis-server.
@Suite("Commands that wait, beside redis-server", .serialized)
struct BlockingTests {
    private static func compare(_ script: String) throws {
        let ours = try ServerProcess(["--save", "", "--appendfsync", "no"])
        let stock = try StockServer()
        let here = try WaitingConversation.run(script) { name in
            try ours.connect(version: name.hasPrefix("3") ? 3 : 2)
        }
        let there = try WaitingConversation.run(script) { name in
            try stock.connect(version: name.hasPrefix("3") ? 3 : 2)
        }
        for (line, (own, other)) in zip(here, there).enumerated() where own != other {
            let before = here[max(line - 6, 0)..<line].joined(separator: "\n")
            Issue.record("after\n\(before)\nours:  \(own)\nstock: \(other)")
            return
        }
        #expect(here.count == there.count)
    }

    @Test("who waits is served in the order of waiting, one element each")
    func order() throws {
        try Self.compare(
            """
            a BLPOP k 0
            b BLPOP k j 0
            c BRPOP j k 0
            3d BLMPOP 0 2 j k LEFT COUNT 5
            e BLPOP k 0
            p RPUSH k 1 2
            p RPUSH j 3 4 5
            p RPUSH j 6
            p RPUSH k 7 8
            p LRANGE k 0 -1
            e PING
            a BLPOP k 0 ;; BLPOP k 0 ;; PING
            p RPUSH k 9
            """)
    }

    @Test("a list that is there is popped at once")
    func atOnce() throws {
        try Self.compare(
            """
            p RPUSH k 1 2 3 4 5 6 7 8
            a BLPOP k 0
            a BRPOP none k 0
            3a BLMOVE k l LEFT RIGHT 0
            a BRPOPLPUSH k l 0
            a BLMPOP 0 1 k RIGHT COUNT 2
            3a BLMPOP 0 2 none k LEFT
            p LRANGE k 0 -1
            p LRANGE l 0 -1
            """)
    }

    @Test("the time runs out with a null, in either protocol")
    func timeouts() throws {
        try Self.compare(
            """
            a! BLPOP k 0.02
            a! BRPOP k l 0.0001
            a! BLMOVE k l LEFT RIGHT 0.01
            a! BRPOPLPUSH k l 0.01
            a! BLMPOP 0.01 1 k LEFT
            3b! BLPOP k 0.02
            3b! BLMOVE k l LEFT RIGHT 0.01
            3b! BRPOPLPUSH k l 0.01
            3b! BLMPOP 0.01 1 k LEFT
            a! BLPOP k 0.01 ;; PING ;; BLPOP k 0.01 ;; PING
            a BLPOP k x
            a BLPOP k -1
            a BLPOP k inf0
            a BLMPOP 0 0 k LEFT
            a BLMPOP 0 1 k MIDDLE
            a BLMOVE k l UP DOWN 0
            """)
    }

    @Test("nobody waits in a transaction")
    func transactions() throws {
        try Self.compare(
            """
            a MULTI ;; BLPOP k 0 ;; BRPOP k l 0 ;; BLMOVE k l LEFT RIGHT 0 ;; BRPOPLPUSH k l 0 ;; BLMPOP 0 1 k LEFT ;; EXEC
            3a MULTI ;; BLPOP k 0 ;; BLMOVE k l LEFT RIGHT 0 ;; BRPOPLPUSH k l 0 ;; BLMPOP 0 1 k LEFT ;; EXEC
            w BLPOP k 0
            a MULTI ;; LPUSH k 1 ;; DEL k ;; EXEC
            a MULTI ;; LPUSH k 1 ;; DEL k ;; RPUSH k 2 3 ;; EXEC
            a LRANGE k 0 -1
            w BLPOP j 0
            v BLPOP j 0
            a MULTI ;; LPUSH j 1 ;; BLPOP j 0 ;; EXEC
            a MULTI ;; LPUSH j 1 2 3 ;; LPOP j ;; EXEC
            """)
    }

    @Test("whatever makes a list wakes who waits for it")
    func waysToMakeLists() throws {
        try Self.compare(
            """
            p RPUSH source 1
            a BLPOP k 0
            p RENAME source k
            p RPUSH source 2
            a BLPOP k 0
            p COPY source k
            p SELECT 1
            p RPUSH k 3
            a BLPOP k 0
            p MOVE k 0
            p RPUSH k 4
            a BLPOP k 0
            p SWAPDB 0 1
            p SELECT 0
            p RPUSH source 5 6
            a BLPOP k 0
            p LMOVE source k LEFT LEFT
            a BLPOP k 0
            p SET k string
            p DEL k
            p SADD k member
            p DEL k
            p RPUSH k 7
            """)
    }

    @Test("who is served may serve others, before any other command runs")
    func chains() throws {
        try Self.compare(
            """
            a BLMOVE one two LEFT RIGHT 0
            b BLMOVE two three LEFT RIGHT 0
            c BLPOP three 0
            d BLPOP two 0
            p RPUSH one x ;; LLEN one ;; LLEN two ;; LLEN three
            p RPUSH one y
            a BRPOPLPUSH self self 0
            p RPUSH self 1 2 ;; LRANGE self 0 -1
            a BRPOPLPUSH left right 0
            b BRPOPLPUSH right left 0
            p RPUSH left z ;; LRANGE left 0 -1 ;; LRANGE right 0 -1
            """)
    }

    @Test("a target of another type is an error for who waited, and serves the next one")
    func wrongTarget() throws {
        try Self.compare(
            """
            p SET string s
            a BLMOVE k string LEFT RIGHT 0
            b BRPOPLPUSH k string 0
            c BLPOP k 0
            p RPUSH k 1
            p BLPOP string 0
            p BLMOVE string k LEFT RIGHT 0
            a BLPOP none string 0
            """)
    }

    @Test("commands behind one that waits run when it is over, and nothing overtakes")
    func pipelines() throws {
        try Self.compare(
            """
            a BLPOP k 0 ;; RPUSH k mine ;; LRANGE k 0 -1 ;; BLPOP j 0 ;; PING
            b RPUSH k 1 ;; BLPOP k 0 ;; PING
            b PING
            c RPUSH k 2 3 ;; LPOP k
            c RPUSH j 1
            c RPUSH j 2 ;; BLPOP j 0 ;; BLPOP j 0
            d BLPOP j 0
            b RPUSH j 3
            b RPUSH j 4
            """)
    }

    @Test("CLIENT UNBLOCK ends a wait by a null or an error")
    func unblock() throws {
        try Self.compare(
            """
            a BLPOP k 0
            p CLIENT UNBLOCK @a
            a BLPOP k 0 ;; PING
            p CLIENT UNBLOCK @a TIMEOUT
            3a BLMOVE k l LEFT RIGHT 0
            p CLIENT UNBLOCK @3a
            a BLMOVE k l LEFT RIGHT 0
            p CLIENT UNBLOCK @a ERROR
            p CLIENT UNBLOCK @a ERROR
            p CLIENT UNBLOCK @p
            p CLIENT UNBLOCK 99999
            p CLIENT UNBLOCK x
            p CLIENT UNBLOCK @a FOO
            a BLPOP k 0
            b BLPOP k 0
            p MULTI ;; CLIENT UNBLOCK @a ;; RPUSH k 1 ;; EXEC
            """)
    }

    @Test("who is gone is not served")
    func disconnects() throws {
        try Self.compare(
            """
            a BLPOP k 0
            b BLPOP k 0
            c BLPOP k 0
            a close
            p CLIENT KILL ID @b
            p RPUSH k 1 2
            p LRANGE k 0 -1
            """)
    }

    @Test("replies that are not wanted are not sent, and waits are waited all the same")
    func silentClients() throws {
        try Self.compare(
            """
            a CLIENT REPLY SKIP ;; BLPOP k 0 ;; PING
            b CLIENT REPLY OFF ;; BLPOP k 0 ;; CLIENT REPLY ON
            p RPUSH k 1
            p RPUSH k 2
            """)
    }

    @Test("a key that has expired serves nobody")
    func expired() throws {
        try Self.compare(
            """
            a BLPOP k 0
            p MULTI ;; RPUSH k 1 ;; PEXPIREAT k 1000 ;; EXEC
            p RPUSH k 2
            """)
    }

    // MARK: Ours alone

    private static func field(_ name: String, _ connection: RESPConnection) throws -> String? {
        let info = try connection.command("INFO", "clients").text ?? ""
        return info.split(separator: "\r\n").first { $0.hasPrefix(name + ":") }
            .map { String($0.dropFirst(name.count + 1)) }
    }

    @Test("INFO and CLIENT LIST tell who waits")
    func figures() throws {
        let ours = try ServerProcess(["--appendfsync", "no"])
        let control = try ours.connect()
        let waiting = try (0..<3).map { _ in try ours.connect() }
        try waiting[0].send(Request.encode(["BLPOP", "k", "j", "0"]))
        try waiting[1].send(Request.encode(["BLPOP", "k", "100"]))
        try waiting[2].send(Request.encode(["BLMOVE", "i", "k", "LEFT", "LEFT", "100"]))
        while try Self.field("blocked_clients", control) != "3" {}
        #expect(try Self.field("total_blocking_keys", control) == "3")
        #expect(try Self.field("total_blocking_keys_on_nokey", control) == "0")
        #expect(try Self.field("clients_in_timeout_table", control) == "2")
        let list = try control.command("CLIENT", "LIST").text ?? ""
        #expect(list.contains("flags=b") && list.contains("cmd=blmove"))
        #expect(try control.command("RPUSH", "k", "1", "2", "3") == .integer(3))
        #expect(try Self.field("blocked_clients", control) == "1")
        #expect(try Self.field("total_blocking_keys", control) == "1")
        #expect(try Self.field("clients_in_timeout_table", control) == "1")
        waiting[2].close()
        while try Self.field("blocked_clients", control) != "0" {}
        #expect(try Self.field("total_blocking_keys", control) == "0")
    }

    @Test("calls of commands that waited are counted once, when they are over")
    func counters() throws {
        let ours = try ServerProcess(["--appendfsync", "no"])
        let control = try ours.connect()
        let waiting = try ours.connect()
        for end in 0..<3 {
            try waiting.send(Request.encode(["BLPOP", "k", end == 0 ? "0.01" : "0"]))
            if end > 0 { while try Self.field("blocked_clients", control) != "1" {} }
            if end == 1 { try control.command("RPUSH", "k", "1") }
            if end == 2 {
                let id = try #require(
                    control.command("CLIENT", "LIST").text?.split(separator: "\n").first {
                        $0.contains("flags=b")
                    }?.split(separator: " ").first?.dropFirst(3))
                try control.command("CLIENT", "UNBLOCK", String(id), "ERROR")
            }
            _ = try waiting.receive()
        }
        let statistics = try control.command("INFO", "commandstats").text ?? ""
        let line = try #require(
            statistics.split(separator: "\r\n").first { $0.hasPrefix("cmdstat_blpop:") })
        #expect(line.hasPrefix("cmdstat_blpop:calls=3,"))
        #expect(line.hasSuffix("rejected_calls=0,failed_calls=1"))
    }

    @Test("the log holds what was done, the push before the pop, each a unit of its own")
    func effects() throws {
        let ours = try ServerProcess(["--appendfsync", "always"])
        let control = try ours.connect()
        let waiting = try (0..<3).map { _ in try ours.connect() }
        for (index, words) in [
            ["BLMOVE", "a", "b", "LEFT", "RIGHT", "0"], ["BRPOPLPUSH", "b", "c", "0"],
            ["BLMPOP", "0", "1", "c", "LEFT", "COUNT", "3"],
        ].enumerated() {
            try waiting[index].send(Request.encode(words))
            while try Self.field("blocked_clients", control) != String(index + 1) {}
        }
        #expect(try control.command("RPUSH", "a", "x") == .integer(1))
        for connection in waiting { _ = try connection.receive() }
        var lines: [String] = []
        for name in try FileManager.default.contentsOfDirectory(atPath: ours.logFolder).sorted()
        where name.hasSuffix(".aof") {
            let path = ours.logFolder + "/" + name
            let text = String(
                decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
            lines += text.split(whereSeparator: \.isNewline).map(String.init)
                .filter { !"*$#\0".contains($0.first ?? "\0") && !$0.hasPrefix("REDIS") }
        }
        #expect(
            lines.joined(separator: " ").hasSuffix(
                "RPUSH a x LMOVE a b LEFT RIGHT RPOPLPUSH b c LPOP c 1"))
        ours.kill()
        try ours.start()
        #expect(try ours.connect().command("DBSIZE") == .integer(0))
    }

    @Test("who waits through a pause is served when it is over")
    func pauses() throws {
        let ours = try ServerProcess(["--appendfsync", "no"])
        let control = try ours.connect()
        let waiting = try ours.connect()
        try waiting.send(Request.encode(["BLPOP", "k", "0"]))
        while try Self.field("blocked_clients", control) != "1" {}
        try control.command("MULTI")
        try control.command("CLIENT", "PAUSE", "100000", "WRITE")
        try control.command("RPUSH", "k", "1")
        #expect(try control.command("EXEC") == .array([.ok, .integer(1)]))
        #expect(try control.command("LLEN", "k") == .integer(1))
        #expect(try Self.field("blocked_clients", control) == "1")
        #expect(try control.command("CLIENT", "UNPAUSE") == .ok)
        #expect(try waiting.receive() == .array([.bulk("k"), .bulk("1")]))
        #expect(try control.command("LLEN", "k") == .integer(0))
    }

    @Test("thousands wait for one key, and each gets its element")
    func many() throws {
        let ours = try ServerProcess(["--appendfsync", "no"])
        let control = try ours.connect()
        let waiting = try (0..<500).map { _ in try ours.connect() }
        for (index, connection) in waiting.enumerated() {
            try connection.send(Request.encode(["BLPOP", "k", "other\(index)", "1000"]))
            while try Self.field("blocked_clients", control) != String(index + 1) {}
        }
        #expect(try Self.field("total_blocking_keys", control) == "501")
        let elements = (0..<500).map { String($0) }
        #expect(try control.command(["RPUSH", "k"] + elements) == .integer(500))
        for (index, connection) in waiting.enumerated() {
            #expect(try connection.receive() == .array([.bulk("k"), .bulk("\(index)")]))
        }
        #expect(try Self.field("total_blocking_keys", control) == "0")
    }
}

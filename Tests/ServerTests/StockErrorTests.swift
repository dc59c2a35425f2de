import TestSupport
import Testing

/// Replies that depend on nothing but the request, beside those of a stock server.
@Suite("Commands about the server, beside a stock server")
struct StockErrorTests {
    /// Requests, words separated by blanks; `""` is an empty word.
    static let requests: [String] = [
        // CLIENT
        "CLIENT", "CLIENT FOO", "CLIENT ID x", "CLIENT GETNAME", "CLIENT SETNAME me",
        "CLIENT GETNAME",
        "CLIENT SETNAME \"\"", "CLIENT GETNAME", "CLIENT SETNAME a\nb", "CLIENT SETNAME",
        "CLIENT KILL", "CLIENT KILL 1", "CLIENT KILL ID 0", "CLIENT KILL ID x", "CLIENT KILL ID -1",
        "CLIENT KILL TYPE foo", "CLIENT KILL foo bar", "CLIENT KILL SKIPME maybe",
        "CLIENT KILL USER nope", "CLIENT KILL ID 1 TYPE", "CLIENT KILL ID 999999",
        "CLIENT KILL TYPE pubsub", "CLIENT KILL TYPE master", "CLIENT KILL TYPE slave",
        "CLIENT KILL ADDR 1.2.3.4:5", "CLIENT KILL LADDR 1.2.3.4:5 SKIPME no",
        "CLIENT LIST TYPE foo", "CLIENT LIST ID", "CLIENT LIST ID x", "CLIENT LIST foo",
        "CLIENT LIST TYPE pubsub", "CLIENT LIST ID 99999 99998", "CLIENT LIST TYPE normal extra",
        "CLIENT NO-EVICT", "CLIENT NO-EVICT foo", "CLIENT NO-EVICT on", "CLIENT NO-EVICT OFF",
        "CLIENT PAUSE", "CLIENT PAUSE x", "CLIENT PAUSE -1", "CLIENT PAUSE 1 foo", "CLIENT UNPAUSE",
        "CLIENT UNPAUSE 1", "CLIENT REPLY", "CLIENT REPLY foo", "CLIENT REPLY on",
        "CLIENT UNBLOCK", "CLIENT UNBLOCK x", "CLIENT UNBLOCK 1 foo", "CLIENT UNBLOCK 99999",
        "CLIENT UNBLOCK 99999 ERROR",
        // CONFIG
        "CONFIG", "CONFIG FOO", "CONFIG GET", "CONFIG GET nothing-like-it", "CONFIG GET maxmemory",
        "CONFIG SET", "CONFIG SET hz", "CONFIG SET hz 10 x",
        "CONFIG SET nothing 1", "CONFIG SET hz abc", "CONFIG SET maxmemory 12monkeys",
        "CONFIG SET databases 3", "CONFIG SET dir /tmp", "CONFIG SET appendfsync often",
        "CONFIG SET hz 10 hz 11", "CONFIG SET slowlog-max-len -1", "CONFIG SET timeout yes",
        "CONFIG SET maxclients 0", "CONFIG SET protected-mode perhaps",
        "CONFIG SET latency-tracking-info-percentiles 1000",
        "CONFIG SET slowlog-max-len 10 slowlog-log-slower-than -1",
        "CONFIG REWRITE", "CONFIG REWRITE 1", "CONFIG RESETSTAT",
        "CONFIG SET proc-title-template {nothing}",
        // SLOWLOG, LATENCY
        "SLOWLOG", "SLOWLOG FOO", "SLOWLOG GET x", "SLOWLOG GET -2", "SLOWLOG GET 1 2",
        "SLOWLOG RESET", "SLOWLOG GET", "SLOWLOG LEN", "SLOWLOG LEN 1",
        "LATENCY", "LATENCY FOO", "LATENCY GRAPH foo", "LATENCY HISTORY foo", "LATENCY LATEST",
        "LATENCY RESET", "LATENCY RESET a b", "LATENCY HISTOGRAM nothing like it",
        "LATENCY GRAPH", "LATENCY HISTORY",
        // MEMORY
        "MEMORY", "MEMORY FOO", "MEMORY USAGE", "MEMORY USAGE a", "MEMORY USAGE a SAMPLES",
        "MEMORY USAGE a SAMPLES -1", "MEMORY USAGE a SAMPLES x", "MEMORY USAGE a foo 1",
        "MEMORY USAGE a SAMPLES 3", "MEMORY PURGE",
        // Server
        "INFO nothing", "SHUTDOWN foo", "SHUTDOWN SAVE NOSAVE", "SHUTDOWN ABORT",
        "SHUTDOWN SAVE ABORT", "LASTSAVE x", "ROLE x",
        // DEBUG
        "DEBUG", "DEBUG FOO", "DEBUG DIGEST", "DEBUG DIGEST x", "DEBUG POPULATE",
        "DEBUG POPULATE x",
        "DEBUG POPULATE -1", "DEBUG POPULATE 5", "DEBUG POPULATE 7 p 20", "DEBUG POPULATE 7 q 3",
        "GET key:1", "GET p:3", "GET q:6", "DEBUG DIGEST", "DEBUG DIGEST-VALUE key:1 p:1 none",
        "DEBUG DIGEST-VALUE", "DEBUG OBJECT none", "DEBUG OBJECT", "DEBUG SLEEP", "DEBUG SLEEP 0",
        "DEBUG SLEEP x", "DEBUG SET-ACTIVE-EXPIRE 0", "DEBUG SET-ACTIVE-EXPIRE 1",
        "DEBUG QUICKLIST-PACKED-THRESHOLD 10", "DEBUG LISTPACK p:1", "DEBUG LISTPACK none",
        "DEBUG HTSTATS 99", "DEBUG HTSTATS x", "DEBUG HTSTATS-KEY p:1", "DEBUG HTSTATS-KEY none",
        "DEBUG ERROR", "DEBUG ERROR foo", "DEBUG LOG foo", "DEBUG CHANGE-REPL-ID",
        "DEBUG PAUSE-CRON 0", "DEBUG REPLYBUFFER foo", "DEBUG REPLYBUFFER PEAK-RESET-TIME 100",
        "DEBUG SET-DISABLE-DENY-SCRIPTS 0", "DEBUG RELOAD foo", "DEBUG MALLCTL foo",
        "DEBUG PROTOCOL foo", "DEBUG PROTOCOL", "DEBUG PROTOCOL string", "DEBUG PROTOCOL integer",
        "DEBUG PROTOCOL double", "DEBUG PROTOCOL bignum", "DEBUG PROTOCOL null",
        "DEBUG PROTOCOL array", "DEBUG PROTOCOL set", "DEBUG PROTOCOL map", "DEBUG PROTOCOL attrib",
        "DEBUG PROTOCOL verbatim", "DEBUG PROTOCOL true", "DEBUG PROTOCOL false",
        // In a transaction
        "MULTI", "SHUTDOWN", "EXEC", "MULTI", "DEBUG POPULATE 3 t", "CONFIG GET hz",
        "CLIENT GETNAME",
        "INFO nothing", "EXEC", "GET t:2", "FLUSHALL",
    ]

    static func words(_ request: String) -> [String] {
        request.split(separator: " ").map { $0 == "\"\"" ? "" : String($0) }
    }

    /// In 7.2 CLIENT KILL and LIST are as in 7.0; what differs is left out above.
    @Test("the same requests get the same replies", arguments: [2, 3])
    func sameReplies(version: Int) throws {
        let stock = try StockServer()
        let server = try ServerProcess()
        let expected = try stock.connect(version: version)
        let actual = try server.connect(version: version)
        for request in Self.requests {
            let words = Self.words(request)
            let left = try actual.command(words)
            let right = try expected.command(words)
            #expect(left == right, "\(request)")
        }
        stock.kill()
        #expect(server.isRunning)
    }

    @Test(
        "HELP is an array of simple strings with the same first line",
        arguments: ["CLIENT", "CONFIG", "SLOWLOG", "LATENCY", "MEMORY", "DEBUG"])
    func help(container: String) throws {
        let stock = try StockServer()
        let server = try ServerProcess()
        let expected = try #require(stock.connect().command(container, "HELP").items)
        let actual = try #require(server.connect().command(container, "HELP").items)
        #expect(actual.first == expected.first)
        for line in actual {
            guard case .simple = line else {
                Issue.record("not a simple string: \(line)")
                continue
            }
        }
    }

    /// Field names of INFO, by section.
    private static func fields(_ reply: Reply) throws -> [String: [String]] {
        let text = try #require(reply.text)
        var fields: [String: [String]] = [:]
        var section = ""
        for line in text.split(separator: "\r\n") {
            if line.hasPrefix("# ") {
                section = String(line.dropFirst(2))
                fields[section] = []
            } else if let colon = line.firstIndex(of: ":") {
                fields[section, default: []].append(String(line[..<colon]))
            }
        }
        return fields
    }

    @Test(
        "every field of INFO that 7.0.15 has is there, in the same order",
        arguments: ["default", "everything"])
    func infoFields(section: String) throws {
        let stock = try StockServer()
        let server = try ServerProcess()
        let requests = [["SET", "k", "v"], ["GET", "k"], ["NOTHING"], ["INFO", section]]
        var expected: [String: [String]] = [:]
        var actual: [String: [String]] = [:]
        for request in requests {
            expected = try Self.fields(stock.connect().command(request))
            actual = try Self.fields(server.connect().command(request))
        }
        #expect(Set(expected.keys) == Set(actual.keys))
        for (section, names) in expected {
            // Stock's own PINGs and INFO are no part of the picture.
            if section == "Commandstats" || section == "Latencystats" { continue }
            let ours = actual[section] ?? []
            #expect(names.filter { !ours.contains($0) } == [], "\(section)")
            #expect(ours.filter { names.contains($0) } == names, "\(section)")
        }
    }
}

import Foundation
import HoldfastBytes
import Server
import TestSupport
import Testing

private func pair(_ name: String, _ value: String) -> (name: [UInt8], value: [UInt8]) {
    (Array(name.utf8), Array(value.utf8))
}

/// The reply CONFIG SET would give.
private func set(
    _ configuration: inout Configuration, _ words: [String], allowsProtected: Bool = true
) -> String {
    let pairs = stride(from: 0, to: words.count - 1, by: 2).map { pair(words[$0], words[$0 + 1]) }
    do throws(ConfigurationSetError) {
        try configuration.set(pairs, allowsProtected: allowsProtected, isLoading: false)
        return "OK"
    } catch {
        return error.reply
    }
}

private func get(_ configuration: Configuration, _ patterns: String...) -> [String: String] {
    var result: [String: String] = [:]
    for (name, value) in configuration.get(patterns.map { Array($0.utf8) }) {
        result[String(decoding: name, as: UTF8.self)] = String(decoding: value, as: UTF8.self)
    }
    return result
}

@Suite struct ConfigurationTests {
    /// In 7.2, not in the 7.0 that the tests compare with.
    static let newSince70: Set<String> = [
        "cluster-announce-human-nodename", "locale-collate", "set-max-listpack-entries",
        "set-max-listpack-value",
    ]
    static let hiddenSince72: Set<String> = ["aof-disable-auto-gc"]
    static let own: Set<String> = [
        "allow-empty-start", "aof-base-compression", "clock-jump-limit", "gather-pause-us",
        "log-format", "max-unsynced-bytes", "max-unsynced-ms", "rdb-compression",
        "rdb-version", "read-visibility", "replica-allow-empty-full-sync", "save-verify",
        "wal-archive-command", "wal-preallocate", "wal-reserve", "wal-retain-replica-size",
        "wal-retain-size", "wal-retain-time", "wal-segment-size",
    ]
    /// Ours on purpose, or set by the way the stock server is started.
    static let otherDefaults: Set<String> = [
        "appendonly", "bind", "port", "dir", "save", "logfile", "unixsocket",
        "enable-debug-command",
    ]

    @Test("names and defaults are stock redis-server's, but for the listed differences")
    func defaultsAgainstStock() throws {
        let stock = try StockServer()
        let reply = try stock.connect().command("CONFIG", "GET", "*")
        let items = try #require(reply.items).map { $0.text ?? "" }
        var theirs: [String: String] = [:]
        for index in stride(from: 0, to: items.count, by: 2) {
            theirs[items[index]] = items[index + 1]
        }
        let ours = get(Configuration(folder: "/"), "*")
        #expect(Set(theirs.keys).subtracting(ours.keys) == Self.hiddenSince72)
        #expect(Set(ours.keys).subtracting(theirs.keys) == Self.newSince70.union(Self.own))
        for (name, value) in theirs
        where !Self.otherDefaults.union(Self.hiddenSince72).contains(name) {
            #expect(ours[name] == value, "\(name)")
        }
        #expect(ours["bind"] == "127.0.0.1 -::1")
        #expect(ours["appendonly"] == "yes")
        #expect(ours["save"] == "3600 1 300 100 60 10000")
        for name in [
            "aof-disable-auto-gc", "key-load-delay", "rdb-key-save-delay",
            "loading-process-events-interval-bytes", "use-exit-on-panic", "watchdog-period",
        ] {
            let theirs = try stock.connect().command("CONFIG", "GET", name).items?.last?.text
            #expect(get(Configuration(folder: "/"), name)[name] == theirs, "\(name)")
        }
    }

    @Test("CONFIG SET answers and stores as stock redis-server does")
    func setAgainstStock() throws {
        let stock = try StockServer(["--enable-protected-configs", "yes"])
        let connection = try stock.connect()
        var configuration = Configuration(folder: stock.folder.path)
        for line in Self.assignments {
            let words = line.map { $0 == "FOLDER" ? stock.folder.path : $0 }
            let theirs = try connection.command(["CONFIG", "SET"] + words)
            #expect(set(&configuration, words) == theirs.text, "\(words)")
            for index in stride(from: 0, to: words.count - 1, by: 2) {
                let reply = try connection.command("CONFIG", "GET", words[index])
                let ours = configuration.get([Array(words[index].utf8)])
                // Where the defaults differ a refused change leaves different values.
                if Self.otherDefaults.contains(words[index].lowercased()) && theirs.isError {
                    continue
                }
                #expect(
                    ours.flatMap { [Reply.bulk($0.name), .bulk($0.value)] } == reply.items,
                    "\(words)")
            }
        }
    }

    static let assignments: [[String]] = [
        ["maxmemory", "abc"], ["maxmemory", "1kb"], ["maxmemory", "1K"], ["maxmemory", "2Gb"],
        ["maxmemory", "1.5mb"], ["maxmemory", "-1"], ["maxmemory", ""], ["maxmemory", "gb"],
        ["maxmemory", "99999999999999999999999999"], ["maxmemory", "18446744073709551615"],
        ["maxmemory", "0"], ["maxmemory-clients", "abc"], ["maxmemory-clients", "101%"],
        ["maxmemory-clients", "5%"], ["maxmemory-clients", "-5%"], ["maxmemory-clients", "%"],
        ["maxmemory-clients", "3mb"], ["maxclients", "0"], ["maxclients", "-1"],
        ["maxclients", "4294967296"], ["appendfsync", "foo"], ["appendfsync", "ALWAYS"],
        ["shutdown-on-sigterm", "save nosave"], ["shutdown-on-sigterm", "save now"],
        ["shutdown-on-sigterm", "force now nosave"], ["shutdown-on-sigterm", "save  now"],
        ["shutdown-on-sigterm", ""], ["shutdown-on-sigterm", "default"], ["activedefrag", "yes"],
        ["activedefrag", "no"], ["save", "1 2 3"], ["save", "1 2  3 4"], ["save", "-1 2"],
        ["save", "0 2"], ["save", "10 0"], ["save", "1 2 3 4"], ["save", "9999999999 2"],
        ["save", "+5 1"], ["save", "1 x"], ["save", ""],
        ["client-output-buffer-limit", "normal 0 0"],
        ["client-output-buffer-limit", "foo 0 0 0"],
        ["client-output-buffer-limit", "normal x 0 0"],
        ["client-output-buffer-limit", "normal 1 0 -1"],
        ["client-output-buffer-limit", "master 1 2 3"], ["client-output-buffer-limit", ""],
        ["client-output-buffer-limit", "normal 1mb 2k 3 REPLICA 1gb 1 1"],
        ["notify-keyspace-events", "KEAx"], ["notify-keyspace-events", "KEAq"],
        ["notify-keyspace-events", "Klg$nmd"], ["notify-keyspace-events", "KEg$lshzxetdnm"],
        ["notify-keyspace-events", ""], ["oom-score-adj-values", "1 2"],
        ["oom-score-adj-values", "1 2 x"], ["oom-score-adj-values", "3000 3 5"],
        ["oom-score-adj-values", "-5 +3 5"], ["latency-tracking-info-percentiles", "50 abc"],
        ["latency-tracking-info-percentiles", "50 101"],
        ["latency-tracking-info-percentiles", "50 99.99 5e1 0"],
        ["latency-tracking-info-percentiles", "33.333333333333336 99.9999999 1e-5"],
        ["latency-tracking-info-percentiles", "  5"], ["latency-tracking-info-percentiles", ""],
        ["dbfilename", "a/b"], ["dbfilename", ""], ["dbfilename", "x y.rdb"],
        ["dir", "/nonexistent"], ["dir", "/etc/passwd"], ["dir", ""], ["dir", "/tmp"],
        ["dir", "FOLDER"], ["proc-title-template", "{foo}"], ["proc-title-template", "{title"],
        ["proc-title-template", "title}"], ["proc-title-template", ""],
        ["cluster-announce-hostname", "a b"],
        ["cluster-announce-hostname", String(repeating: "a", count: 256)],
        ["cluster-announce-hostname", "a-b.c"], ["port", "99999"], ["port", "x"],
        ["bind", "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9"], ["databases", "5"], ["foo", "bar"],
        ["maxmemory", "1", "maxmemory", "2"], ["maxmemory", "1", "foo", "2"],
        ["maxmemory", "1", "databases", "2", "foo", "5"], ["foo", "5", "databases", "3"],
        ["MAXMEMORY", "1", "maxmemory", "2"], ["timeout", "5", "maxmemory", "x"],
        ["hash-max-ziplist-entries", "x"], ["HASH-max-ziplist-entries", "12"],
        ["hash-max-listpack-entries", "1", "hash-max-ziplist-entries", "2"],
        ["repl-backlog-size", "0"], ["repl-backlog-size", "18446744073709551615"],
        ["repl-backlog-size", "16mb"], ["client-query-buffer-limit", "5"],
        ["list-max-listpack-size", "-99999999999"],
        ["list-max-listpack-size", "9999999999999999999999"], ["list-max-listpack-size", "-5"],
        ["slowlog-max-len", "-1"], ["slowlog-log-slower-than", "-1"],
        ["slowlog-log-slower-than", "-2"], ["timeout", " 5"], ["timeout", "05"],
        ["timeout", "+5"], ["replica-announced", "nO"], ["replica-announced", "true"],
        ["loglevel", "WARNING"], ["masterauth", "a b"], ["masteruser", ""],
        ["loading-process-events-interval-bytes", "5"], ["repl-backlog-ttl", "-1"],
        ["sanitize-dump-payload", "a"], ["sanitize-dump-payload", "Clients"], ["aclfile", "x"],
        ["maxmemory-policy", "FOO"], ["maxmemory-policy", "allkeys-LRU"],
        ["oom-score-adj", "foo"], ["cluster-announce-port", "70000"], ["logfile", "x"],
        ["replicaof", "a b"], ["unixsocketperm", "700"], ["enable-debug-command", "no"],
        ["repl-diskless-load", "swapdb"], ["acl-pubsub-default", "x"],
        ["tracking-table-max-keys", "-1"], ["stream-node-max-bytes", "-1"],
        ["active-defrag-cycle-min", "100"], ["slave-priority", "7", "timeout", "9"],
    ]

    @Test("protected settings need permission; a refusal by the system undoes everything")
    func protectionAndRollback() throws {
        var configuration = Configuration(folder: "/")
        #expect(
            set(&configuration, ["dir", "/tmp"], allowsProtected: false)
                == "ERR CONFIG SET failed (possibly related to argument 'dir') - can't set protected config"
        )
        var applied: [(Int, [Setting])] = []
        #expect(
            throws: ConfigurationSetError.refused(argument: "port", reason: "busy")
        ) {
            try configuration.set(
                [pair("maxclients", "5"), pair("port", "99"), pair("timeout", "0")],
                allowsProtected: false, isLoading: false
            ) { changed, settings in
                applied.append((changed.port, settings))
                return changed.port == 99 ? ConfigurationRejection(.port, "busy") : nil
            }
        }
        #expect(applied.map(\.0) == [99, 6379])
        #expect(applied.first?.1 == [.maxclients, .port])
        #expect(configuration.maxclients == 10_000)
        #expect(throws: ConfigurationSetError.loading) {
            try configuration.set(
                [pair("appendonly", "no")], allowsProtected: true, isLoading: true)
        }
    }

    @Test("CONFIG GET answers each name once, hidden ones only by name")
    func getting() {
        let configuration = Configuration(folder: "/")
        #expect(get(configuration, "key-load*").isEmpty)
        #expect(get(configuration, "key-load-delay") == ["key-load-delay": "0"])
        #expect(get(configuration, "MaxMemory", "maxmemory") == ["MaxMemory": "0"])
        #expect(get(configuration, "slaveo*") == ["slaveof": ""])
        #expect(get(configuration, "nothing").isEmpty)
        #expect(
            configuration.get([Array("*".utf8), Array("p*".utf8), Array("port".utf8)]).count
                == configuration.get([Array("*".utf8)]).count)
    }
}

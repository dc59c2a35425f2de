import Foundation
import HoldfastBytes
import Server
import TestSupport
import Testing

private func load(
    _ text: String, folder: String = "/tmp", commandExists: (String) -> Bool = { _ in true }
) throws(ConfigurationFileError) -> Configuration {
    var source = ConfigurationSource()
    source.readsStandardInput = true
    return try Configuration.load(
        source, folder: folder, commandExists: commandExists, standardInput: { Array(text.utf8) })
}

/// The reason a configuration is refused with, or nil.
private func refusal(_ text: String, folder: String = "/tmp") -> String? {
    do throws(ConfigurationFileError) {
        _ = try load(text, folder: folder) { $0 == "get" || $0 == "set" }
        return nil
    } catch {
        switch error {
        case .line(_, let number, let line, let reason, _): return "\(number)|\(line)|\(reason)"
        case .whole(let reason): return reason
        case .unreadable(_, let reason): return reason
        }
    }
}

private func options(_ arguments: String...) -> String {
    String(decoding: ConfigurationSource(arguments: arguments).options, as: UTF8.self)
}

@Suite struct ConfigurationFileTests {
    @Test(
        "a file with one wrong line is refused as stock redis-server refuses it",
        arguments: [
            "foo bar", "maxmemory 1mb # x", "maxmemory", "port 1 2", "save \"3600 1\" 10 5",
            "save 1 2 3",
            "save 1 x", "bind 1 2 3 4 5 6 7 8 9 1 2 3 4 5 6 7 8 9", "rename-command foo bar",
            "rename-command get", "rename-command get set", "replicaof a", "replicaof a b",
            "replicaof a 70000", "dir /nonexist", "port -5", "port \"6", "port '6'x",
            "notify-keyspace-events q", "appendfilename a/b", "appenddirname a/b",
            "appendfilename \"\"",
            "appenddirname ''", "requirepass", "databases 0", "unixsocketperm 778",
            "oom-score-adj-values 1 2", "client-output-buffer-limit normal 1 2 3 4",
            "shutdown-on-sigint x force", "logfile /nonexist/x", "include /nonexist-file",
            "cluster-enabled yes\nreplicaof 1.2.3.4 5", "list-max-ziplist-entries 5 6",
            "\n\n# c\n  hz   x  ", "user", "a.b", "appendonly maybe", "port \"\"",
        ])
    func wrongLine(text: String) throws {
        let folder = try TemporaryFolder()
        let path = folder.file("wrong.conf")
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let output = folder.file("output")
        // A shell waits for it, with a limit: stock takes what we wrongly think is refused.
        // SAFETY: the command is passed as a terminated string for the length of the call.
        let status = unsafe system(
            "cd '\(folder.path)' && timeout 5 redis-server '\(path)' > '\(output)' 2>&1")
        let said = try String(contentsOfFile: output, encoding: .utf8)
        #expect(status == 256, "stock said: \(said)")
        let ours = try #require(refusal(text, folder: folder.path), "stock said: \(said)")
        let parts = ours.split(separator: "|", maxSplits: 2).map { String($0) }
        if parts.count == 3 {
            #expect(
                said.contains("at line \(parts[0])\n>>> '\(parts[1])'\n\(parts[2])\n"), "\(ours)")
        } else {
            #expect(said.contains(ours), "\(ours)")
        }
    }

    @Test("right lines mean what they mean to stock redis-server")
    func rightLines() throws {
        let folder = try TemporaryFolder()
        let text = """
            # a comment
              MAXMEMORY   1Gb\t
            save "3600  1"
            save 60 5 10 2
            client-output-buffer-limit normal 1mb 2mb 3
            client-output-buffer-limit replica 5 6 7
            dbfilename "a\\x41\\"b"
            timeout "7"
            slave-priority 3
            hz 100000
            shutdown-on-sigint save force
            unixsocketperm 700
            list-max-ziplist-entries 5
            proc-title-template 'a b'
            oom-score-adj-values "1 2 3"
            notify-keyspace-events ""
            latency-tracking-info-percentiles "10 20"
            include \(folder.path)/none*.conf
            include \(folder.path)/more.conf
            maxmemory-clients 5%
            repl-backlog-ttl 9
            """
        try "timeout 8\nrepl-backlog-ttl 8\n".write(
            toFile: folder.file("more.conf"), atomically: true, encoding: .utf8)
        let path = folder.file("right.conf")
        try text.write(toFile: path, atomically: true, encoding: .utf8)
        let ours = try load(text, folder: folder.path)
        let server = try StockServer(["--include", path], folder: folder)
        let stock = try server.connect()
        for name in [
            "maxmemory", "save", "client-output-buffer-limit", "dbfilename", "timeout",
            "replica-priority", "hz", "shutdown-on-sigint", "unixsocketperm", "proc-title-template",
            "oom-score-adj-values", "notify-keyspace-events", "latency-tracking-info-percentiles",
            "maxmemory-clients", "repl-backlog-ttl",
        ] {
            let theirs = try stock.command("CONFIG", "GET", name).items?.last?.text
            let value = ours.get([Array(name.utf8)]).first?.value ?? []
            #expect(String(decoding: value, as: UTF8.self) == theirs, "\(name)")
        }
        #expect(ours.settingsWithoutMeaning.contains("list-max-ziplist-entries"))
        #expect(!ours.settingsWithoutMeaning.contains("timeout"))
    }

    @Test("what only files can say is kept for the server")
    func fileOnly() throws {
        let configuration = try load(
            "user bob on >\"x y\"\nrename-command GET hidden\nrename-command SET ''\n"
                + "rename-command hidden get2\nloadmodule /m.so a\nm.x 5\n"
        ) { $0 == "get" || $0 == "set" }
        #expect(configuration.users == [["bob", "on", ">x y"].map { Array($0.utf8) }])
        #expect(configuration.renamedCommands.count == 3)
        #expect(configuration.modules == [["/m.so", "a"].map { Array($0.utf8) }])
        #expect(configuration.moduleSettings == ["m.x"])
    }

    @Test("an error names file, line and what might have been meant")
    func message() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("a.conf")
        try "port 1\n\nmaxmemroy 5\n".write(toFile: path, atomically: true, encoding: .utf8)
        var source = ConfigurationSource()
        source.file = "a.conf"
        let error = #expect(throws: ConfigurationFileError.self) {
            _ = try Configuration.load(source, folder: folder.path)
        }
        #expect(
            error?.message == """

                *** FATAL CONFIG FILE ERROR (Holdfast \(HoldfastVersion.product)) ***
                Reading the configuration file, at line 3 of \(path)
                >>> 'maxmemroy 5'
                Bad directive or wrong number of arguments
                Did you mean 'maxmemory'?

                """)
        source.file = "none.conf"
        let missing = #expect(throws: ConfigurationFileError.self) {
            _ = try Configuration.load(source, folder: folder.path)
        }
        #expect(missing?.isDiagnostic == true)
        #expect(
            missing?.message
                == "Fatal error, can't open config file '\(folder.path)/none.conf': No such file or directory"
        )
    }

    @Test("a file that includes itself is refused")
    func endlessInclude() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("a.conf")
        try "include \(path)\n".write(toFile: path, atomically: true, encoding: .utf8)
        #expect(refusal("include \(path)")?.hasSuffix("Too many nested includes") == true)
    }

    @Test("any bytes are a configuration or an error, never a crash")
    func anyBytes() throws {
        // A log file is made when its line is read.
        let folder = try TemporaryFolder()
        var state = TestSeed.next("any bytes as a configuration")
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        let names = ConfigurationTable.directives.map(\.name)
        let values = [
            "", "\"", "'", "-1", "99999999999999999999", "yes", "no", "1 2 3 4", "normal 1 2 3",
            "%",
            "\\x", "{", "}", "1e400", "nan", "-9223372036854775808", "18446744073709551615%",
            "\u{0}",
            "a b", "* -::*", "-9223372036854775808%", "9223372036854775808",
            "777777777777777777777777",
        ]
        for _ in 0..<800 {
            let line =
                names[next(names.count)] + " " + values[next(values.count)] + " "
                + values[next(values.count)]
            let part = next(2) == 0 ? line : String(line.prefix(next(line.count + 1)))
            _ = refusal(part, folder: folder.path)
        }
    }

    @Test("the command line becomes lines by Redis's rules")
    func commandLine() {
        #expect(
            options("--port", "6380", "--appendonly", "no") == "port \"6380\" \nappendonly \"no\" ")
        #expect(options("--save", "--port", "1") == "save \"\"\nport \"1\" ")
        #expect(options("--port", "1", "--save") == "port \"1\" \nsave \"\"")
        #expect(options("--save", "", "--port", "1") == "save \"\" \nport \"1\" ")
        #expect(options("--port", "--appendonly", "yes") == "port \"--appendonly\" \"yes\" ")
        #expect(options("--port 7801", "--hz", "5") == "port 7801 \nhz \"5\" ")
        #expect(options("--save", "3600", "1", "60", "2") == "save \"3600\" \"1\" \"60\" \"2\" ")
        let both = ConfigurationSource(arguments: ["a.conf", "--port", "5", "-"])
        #expect(both.file == "a.conf" && both.readsStandardInput)
        #expect(ConfigurationSource(arguments: ["-", "--port", "5"]).readsStandardInput)
        #expect(StartRequest(arguments: ["--version"]) == .printVersion)
        #expect(StartRequest(arguments: ["-h"]) == .printHelp)
        #expect(StartRequest(arguments: ["--test-memory"]) == .testMemory(nil))
        #expect(StartRequest(arguments: []) == .run(ConfigurationSource()))
        #expect(HoldfastVersion.line.contains("v=\(HoldfastVersion.product) "))
    }

    @Test("the sample file gives the configuration that it shows")
    func sampleFile() throws {
        let folder = try TemporaryFolder()
        let given = try load(
            "save 5 6\nmaxmemory 3mb\nbind ''\nrequirepass \"a\\\"b\"\nmaxmemory-clients 7%\n"
                + "replicaof h 5\nshutdown-on-sigterm save now\nunixsocketperm 644\n",
            folder: folder.path)
        for configuration in [given, Configuration(folder: folder.path)] {
            let again = try load(configuration.sampleFile(), folder: folder.path)
            for setting in Setting.allCases {
                #expect(again[setting] == configuration[setting], "\(setting.name)")
            }
        }
    }

    @Test("CONFIG REWRITE keeps comments and order and writes what changed")
    func rewriting() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("server.conf")
        let old = """
            # my comment
            port 0


              MAXMEMORY    1mb
            slave-priority 5
            save 100 1
            save 200 2
            client-output-buffer-limit normal 1 2 3
            user bob on
            # tail
            hz 10
            unixsocketperm 700
            requirepass old
            rename-command KEYS ""
            list-max-ziplist-value 3
            bind 10.0.0.1

            """
        try old.write(toFile: path, atomically: true, encoding: .utf8)
        var source = ConfigurationSource()
        source.file = path
        var configuration = try Configuration.load(source, folder: folder.path)
        try configuration.set(
            [
                ("maxmemory", "10mb"), ("hz", "20"), ("slave-priority", "7"), ("save", "5 1"),
                ("client-output-buffer-limit", "normal 5gb 12mb 3 pubsub 5 1kb 9"),
                ("requirepass", ""), ("bind", "127.0.0.1 -::1"), ("dbfilename", "a b\"c"),
                ("shutdown-on-sigint", "now save"), ("notify-keyspace-events", "KEA"),
            ].map { pair($0.0, $0.1) }, allowsProtected: true, isLoading: false)
        try configuration.rewrite()
        let expected = """
            # my comment
            port 0

            maxmemory 10mb
            replica-priority 7
            save 5 1

            client-output-buffer-limit normal 5gb 12mb 3
            user bob on
            # tail
            hz 20
            unixsocketperm 700

            rename-command KEYS ""
            # ??? list-max-ziplist-value 3

            # Generated by CONFIG REWRITE
            dir "\(folder.path)"
            shutdown-on-sigint save now
            dbfilename "a b\\"c"
            client-output-buffer-limit pubsub 5 1kb 9
            notify-keyspace-events "AKE"

            """
        let written = try String(contentsOfFile: path, encoding: .utf8)
        #expect(written == expected, "\(written)")
        // As in Redis, a class of clients may take the line of another and have a new one appended; with
        // a line for each nothing moves any more.
        try configuration.rewrite()
        let second = try String(contentsOfFile: path, encoding: .utf8)
        try configuration.rewrite()
        #expect(try String(contentsOfFile: path, encoding: .utf8) == second)
        let again = try Configuration.load(source, folder: folder.path)
        for setting in Setting.allCases {
            #expect(again[setting] == configuration[setting], "\(setting.name)")
        }
        #expect(throws: ConfigurationRewriteError.noFile) {
            try Configuration(folder: "/").rewrite()
        }
    }

    private func pair(_ name: String, _ value: String) -> (name: [UInt8], value: [UInt8]) {
        (Array(name.utf8), Array(value.utf8))
    }
}

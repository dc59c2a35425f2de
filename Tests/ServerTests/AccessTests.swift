import Foundation
import TestSupport
import Testing

/// Users, rules, and what is denied. Texts and rules are those of 7.2, which no stock server of Debian 12 has.
@Suite("Users and what they may do")
struct AccessTests {
    private static let noKey = Reply.error("NOPERM No permissions to access a key")
    private static let noChannel = Reply.error("NOPERM No permissions to access a channel")

    private static func noCommand(_ user: String, _ name: String) -> Reply {
        .error("NOPERM User \(user) has no permissions to run the '\(name)' command")
    }

    private static func described(_ connection: RESPConnection, _ user: String) throws
        -> [String: Reply]
    {
        let items = try #require(connection.command("ACL", "GETUSER", user).items)
        var fields: [String: Reply] = [:]
        for index in stride(from: 0, to: items.count - 1, by: 2) {
            fields[items[index].text ?? ""] = items[index + 1]
        }
        return fields
    }

    @Test("commands, keys and channels are allowed by rules")
    func rules() throws {
        let server = try ServerProcess()
        let admin = try server.connect()
        let user = try server.connect()
        #expect(
            try admin.command(
                "ACL", "SETUSER", "bob", "on", ">secret", "+get", "+set", "+config|get",
                "+select|0", "+publish", "+subscribe", "+psubscribe", "+unsubscribe", "+copy",
                "+exists", "~foo*", "%R~r*", "%W~w*", "&c1*") == .ok)
        #expect(
            try user.command("AUTH", "bob", "wrong")
                == .error("WRONGPASS invalid username-password pair or user is disabled."))
        #expect(try user.command("AUTH", "bob", "secret") == .ok)
        #expect(try user.command("ACL", "WHOAMI") == Self.noCommand("bob", "acl|whoami"))
        #expect(try user.command("DEL", "foo") == Self.noCommand("bob", "del"))
        #expect(try user.command("CONFIG", "SET", "hz", "1") == Self.noCommand("bob", "config|set"))
        #expect(try user.command("CONFIG", "GET", "maxclients").items?.count == 2)
        #expect(try user.command("SELECT", "0") == .ok)
        #expect(try user.command("SELECT", "1") == Self.noCommand("bob", "select"))
        #expect(try user.command("SET", "foo1", "x") == .ok)
        #expect(try user.command("GET", "foo1") == .bulk("x"))
        #expect(try user.command("GET", "other") == Self.noKey)
        #expect(try user.command("GET", "r") == .null)
        #expect(try user.command("SET", "r", "1") == Self.noKey)
        #expect(try user.command("SET", "w", "1") == .ok)
        #expect(try user.command("SET", "w", "1", "GET") == Self.noKey)
        #expect(try user.command("COPY", "r", "w") == .integer(0))
        #expect(try user.command("COPY", "w", "r") == Self.noKey)
        #expect(try user.command("EXISTS", "w") == .integer(1))
        #expect(try user.command("EXISTS", "none") == Self.noKey)
        #expect(try user.command("PUBLISH", "c12", "x") == .integer(0))
        #expect(try user.command("PUBLISH", "d", "x") == Self.noChannel)
        #expect(try user.command("PSUBSCRIBE", "c1") == Self.noChannel)
        #expect(try user.command("SUBSCRIBE", "d") == Self.noChannel)
        #expect(try user.command("SUBSCRIBE", "c1").items?.count == 3)
        let info = try #require(admin.command("INFO", "stats").text)
        #expect(info.contains("acl_access_denied_auth:1\r\n"))
        #expect(info.contains("acl_access_denied_cmd:4\r\n"))
        #expect(info.contains("acl_access_denied_key:5\r\n"))
        #expect(info.contains("acl_access_denied_channel:3\r\n"))
    }

    @Test("each selector allows as a whole")
    func selectors() throws {
        let server = try ServerProcess()
        let admin = try server.connect()
        let user = try server.connect()
        _ = try admin.command(
            "ACL", "SETUSER", "s", "on", "nopass", "(+set", "~w*)", "(+@read ~r*)", "+mget", "~key")
        _ = try user.command("AUTH", "s", "any")
        #expect(try user.command("SET", "w1", "1") == .ok)
        #expect(try user.command("SET", "r1", "1") == Self.noKey)
        #expect(try user.command("GET", "r1") == .null)
        #expect(try user.command("GET", "w1") == Self.noKey)
        #expect(try user.command("PING") == Self.noCommand("s", "ping"))
        let fields = try Self.described(admin, "s")
        #expect(fields["keys"] == .bulk("~key"))
        #expect(fields["selectors"]?.items?.count == 2)
        #expect(
            fields["selectors"]?.items?.first?.items?.last == .bulk(""), "no channels by default")
        #expect(
            try admin.command("ACL", "SETUSER", "s", "(+set")
                == .error("ERR Unmatched parenthesis in acl selector starting at '(+set'."))
        #expect(try admin.command("ACL", "SETUSER", "s", "clearselectors") == .ok)
        #expect(try Self.described(admin, "s")["selectors"] == .array([]))
    }

    @Test("command rules are kept as they were given, later ones in place of earlier ones")
    func commandRules() throws {
        let server = try ServerProcess()
        let connection = try server.connect()
        func rules(_ words: String...) throws -> String? {
            #expect(try connection.command(["ACL", "SETUSER", "u"] + words) == .ok)
            return try Self.described(connection, "u")["commands"]?.text
        }
        #expect(try rules("+@all", "-@hash", "-@slow", "+get") == "+@all -@hash -@slow +get")
        #expect(try rules("-@hash") == "+@all -@slow +get -@hash")
        #expect(try rules("+@hash") == "+@all -@slow +get +@hash")
        #expect(try rules("-@all") == "-@all")
        #expect(try rules("-@string", "-@slow", "+@all") == "+@all")
        #expect(try rules("-@all", "+@HASH", "+@hash", "+GET", "+get") == "-@all +@hash +get")
        #expect(
            try rules("-@all", "+client|list", "+config|get", "+config", "+acl|list", "-acl")
                == "-@all +client|list +config -acl")
        #expect(try rules("-@all", "+select|0", "+select|0") == "-@all +select|0")
        #expect(try rules("-@all", "-@dangerous") == "-@all -@dangerous")
        #expect(
            try rules("-@all", "+config", "+config|get", "-config|set", "+config")
                == "-@all +config")
        #expect(
            try connection.command("ACL", "SETUSER", "u", "+config|get|x")
                == .error(
                    "ERR Error in ACL SETUSER modifier '+config|get|x': Allowing first-arg of a subcommand is not supported"
                ))
        // Nothing of a list of rules counts if one is wrong.
        #expect(try connection.command("ACL", "SETUSER", "u", "+@all", "nonsense").isError)
        #expect(try Self.described(connection, "u")["commands"] == .bulk("-@all +config"))
    }

    @Test("ACL LOG tells what was denied, the same again only counted")
    func log() throws {
        let server = try ServerProcess()
        let admin = try server.connect()
        let user = try server.connect()
        _ = try admin.command("ACL", "SETUSER", "bob", "on", ">p", "+get", "+multi", "+exec", "~a")
        _ = try user.command("AUTH", "bob", "p")
        for _ in 0..<3 { _ = try user.command("GET", "zzz") }
        _ = try user.command("INCR", "a")
        _ = try user.pipeline([["MULTI"], ["GET", "yyy"], ["EXEC"]])
        _ = try user.command("AUTH", "bob", "wrong")
        func entries() throws -> [[String: Reply]] {
            try #require(admin.command("ACL", "LOG").items).map { entry in
                let items = try #require(entry.items)
                return Dictionary(
                    uniqueKeysWithValues: stride(from: 0, to: items.count, by: 2).map {
                        (items[$0].text ?? "", items[$0 + 1])
                    })
            }
        }
        let all = try entries()
        #expect(all.map { $0["reason"]?.text } == ["auth", "key", "command", "key"])
        #expect(all.map { $0["object"]?.text } == ["AUTH", "yyy", "incr", "zzz"])
        #expect(all.map { $0["context"]?.text } == ["toplevel", "multi", "toplevel", "toplevel"])
        #expect(all.map { $0["count"] } == [.integer(1), .integer(1), .integer(1), .integer(3)])
        #expect(all[3]["username"] == .bulk("bob"))
        #expect(all[3]["client-info"]?.text?.contains("cmd=get user=bob ") == true)
        #expect(all[0].count == 10)
        #expect(try admin.command("ACL", "LOG", "2").items?.count == 2)
        #expect(try admin.command("ACL", "LOG", "RESET") == .ok)
        #expect(try entries().isEmpty)
        _ = try admin.command("CONFIG", "SET", "acllog-max-len", "2")
        for name in ["b", "c", "d"] { _ = try user.command("GET", name) }
        #expect(try entries().map { $0["object"]?.text } == ["d", "c"])
    }

    @Test("what a transaction may do is looked at again when it runs")
    func transaction() throws {
        let server = try ServerProcess()
        let admin = try server.connect()
        let user = try server.connect()
        _ = try admin.command("ACL", "SETUSER", "bob", "on", "nopass", "+@all", "~*")
        _ = try user.command("AUTH", "bob", "")
        _ = try user.pipeline([["MULTI"], ["GET", "a"], ["PING"]])
        _ = try admin.command("ACL", "SETUSER", "bob", "-get")
        let items = try #require(user.command("EXEC").items)
        #expect(
            items[0].text?.hasPrefix("NOPERM ACLs rules changed between the moment") == true)
        #expect(items[1] == .simple("PONG"))
    }

    @Test("sessions end whose user is deleted, or that hear what it no longer may")
    func endings() throws {
        let server = try ServerProcess()
        let admin = try server.connect()
        _ = try admin.command(
            "ACL", "SETUSER", "bob", "on", "nopass", "+@all", "~*", "resetchannels", "&c", "&p*")
        let listener = try server.connect()
        let plain = try server.connect()
        let pardoned = try server.connect()
        for connection in [listener, plain, pardoned] {
            #expect(try connection.command("AUTH", "bob", "x") == .ok)
        }
        _ = try listener.command("SUBSCRIBE", "c")
        _ = try pardoned.command("PSUBSCRIBE", "p*")
        #expect(
            try admin.command("ACL", "SETUSER", "bob", "resetchannels", "&p*", "&more") == .ok)
        #expect(listener.isClosed(within: 5))
        #expect(try pardoned.command("PING", "x").items?.count == 2)
        #expect(try plain.command("PING") == .simple("PONG"))
        // The one that does it gets its answer first.
        #expect(try plain.command("ACL", "DELUSER", "bob", "nobody") == .integer(1))
        #expect(plain.isClosed(within: 5))
        #expect(pardoned.isClosed(within: 5))
        #expect(
            try admin.command("ACL", "DELUSER", "default")
                == .error("ERR The 'default' user cannot be removed"))
    }

    @Test("requirepass is the default user's password")
    func requirePass() throws {
        let server = try ServerProcess()
        _ = try server.connect().command("CONFIG", "SET", "requirepass", "secret")
        let connection = try RESPConnection(.unix(server.socketPath))
        #expect(try connection.command("PING") == .error("NOAUTH Authentication required."))
        #expect(try connection.command("AUTH", "secret") == .ok)
        #expect(
            try connection.command("ACL", "LIST")
                == .array([
                    .bulk(
                        "user default on sanitize-payload #2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b ~* &* +@all"
                    )
                ]))
        #expect(try connection.command("CONFIG", "SET", "requirepass", "") == .ok)
        #expect(try RESPConnection(.unix(server.socketPath)).command("PING") == .simple("PONG"))
        #expect(try connection.command("ACL", "SETUSER", "default", "off") == .ok)
        #expect(
            try RESPConnection(.unix(server.socketPath)).command("PING")
                == .error("NOAUTH Authentication required."))
    }

    @Test("ACL DRYRUN tells without doing")
    func dryRun() throws {
        let server = try ServerProcess()
        let connection = try server.connect()
        _ = try connection.command("ACL", "SETUSER", "u", "+@all", "%R~read*", "%W~write*")
        #expect(try connection.command("ACL", "DRYRUN", "u", "GET", "read") == .ok)
        #expect(
            try connection.command("ACL", "DRYRUN", "u", "GET", "write")
                == .bulk("User u has no permissions to access the 'write' key"))
        #expect(
            try connection.command("ACL", "DRYRUN", "u", "PUBLISH", "ch", "x")
                == .bulk("User u has no permissions to access the 'ch' channel"))
        #expect(
            try connection.command("ACL", "DRYRUN", "x", "GET", "read")
                == .error("ERR User 'x' not found"))
        #expect(
            try connection.command("ACL", "DRYRUN", "u", "NOTHING", "read")
                == .error("ERR Command 'NOTHING' not found"))
    }

    @Test("users live in the configuration file or in a file of their own")
    func files() throws {
        let folder = try TemporaryFolder()
        let users = folder.file("users.acl")
        try Data(
            "# users\nuser alice on >pw ~* &* +@all\n\nuser default on nopass ~* &* +@all\n".utf8
        ).write(to: URL(fileURLWithPath: users))
        let server = try ServerProcess(["--aclfile", users], folder: folder)
        let admin = try server.connect()
        let alice = try server.connect()
        #expect(try alice.command("AUTH", "alice", "pw") == .ok)
        #expect(try admin.command("ACL", "SETUSER", "eve", "on", ">e", "+get", "~k*") == .ok)
        #expect(try admin.command("ACL", "SAVE") == .ok)
        let saved = try admin.command("ACL", "LIST")
        #expect(try admin.command("ACL", "SETUSER", "gone") == .ok)
        let gone = try server.connect()
        _ = try admin.command("ACL", "SETUSER", "gone", "on", "nopass", "+@all")
        _ = try gone.command("AUTH", "gone", "")
        #expect(try admin.command("ACL", "LOAD") == .ok)
        #expect(try admin.command("ACL", "LIST") == saved)
        #expect(gone.isClosed(within: 5))
        #expect(try alice.command("PING") == .simple("PONG"))
        try Data("user a on\nuser a off\nuser b nonsense\n".utf8).write(
            to: URL(fileURLWithPath: users))
        let refusal = try #require(admin.command("ACL", "LOAD").text)
        #expect(refusal.contains("Duplicate user 'a' found"))
        #expect(refusal.contains("Syntax error"))
        #expect(try admin.command("ACL", "LIST") == saved)

        let other = try TemporaryFolder()
        let file = other.file("server.conf")
        try Data("user default on nopass ~* +@all -flushdb\nuser bob on >b +@all ~*\n".utf8).write(
            to: URL(fileURLWithPath: file))
        let second = try ServerProcess(folder: other, file: file)
        var connection = try second.connect()
        #expect(try connection.command("FLUSHDB") == Self.noCommand("default", "flushdb"))
        #expect(try connection.command("PUBLISH", "c", "x") == Self.noChannel)
        _ = try connection.command("ACL", "SETUSER", "carl", "on", "+get")
        #expect(try connection.command("CONFIG", "REWRITE") == .ok)
        let list = try connection.command("ACL", "LIST")
        second.kill()
        try second.start()
        connection = try second.connect()
        #expect(try connection.command("ACL", "LIST") == list)
        #expect(
            try connection.command("ACL", "LOAD").text?.hasPrefix(
                "ERR This Redis instance is not configured to use an ACL file.") == true)
    }

    @Test("SORT follows BY and GET only for a user who may read any key")
    func sort() throws {
        let server = try ServerProcess()
        let admin = try server.connect()
        let user = try server.connect()
        _ = try admin.command("RPUSH", "l", "2", "1")
        _ = try admin.command("ACL", "SETUSER", "u", "on", "nopass", "+sort", "~l")
        _ = try user.command("AUTH", "u", "")
        let denied = "option of SORT denied due to insufficient ACL permissions."
        #expect(try user.command("SORT", "l").items?.count == 2)
        #expect(try user.command("SORT", "l", "BY", "none").items?.count == 2)
        #expect(try user.command("SORT", "l", "BY", "w*") == .error("ERR BY \(denied)"))
        #expect(try user.command("SORT", "l", "GET", "#") == .error("ERR GET \(denied)"))
        _ = try admin.command("ACL", "SETUSER", "u", "%R~*")
        #expect(try user.command("SORT", "l", "BY", "w*", "GET", "#").items?.count == 2)
        #expect(try admin.command("SORT", "l", "GET", "#").items?.count == 2)
    }

    @Test("a waiting command is refused when its user may no longer run it")
    func revokedWhileQueued() throws {
        let server = try ServerProcess()
        let admin = try server.connect()
        let user = try server.connect()
        _ = try admin.command("ACL", "SETUSER", "u", "on", "nopass", "+@all", "~*")
        _ = try user.command("AUTH", "u", "")
        #expect(try admin.command("CLIENT", "PAUSE", "100000", "WRITE") == .ok)
        try user.send(Request.encode(["SET", "a", "1"]))
        while try admin.command("INFO", "clients").text?.contains("blocked_clients:1") != true {}
        _ = try admin.command("ACL", "SETUSER", "u", "resetkeys")
        _ = try admin.command("CLIENT", "UNPAUSE")
        #expect(try user.receive() == Self.noKey)
    }
}

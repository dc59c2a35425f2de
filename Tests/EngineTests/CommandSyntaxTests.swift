import Engine
import HoldfastBytes
import HoldfastRESP
import Testing

@Suite("Command syntax")
struct CommandSyntaxTests {
    @Test("the notation of SET gives its arguments")
    func set() throws {
        let arguments = CommandArgument.parse(
            "key:key0 value condition:[NX|XX]@2.6.12 [GET@6.2.0] expiration:[EX=seconds:integer|KEEPTTL]"
        )
        #expect(
            arguments.map(\.name) == ["key", "value", "condition", "get", "expiration"])
        #expect(arguments.map(\.kind) == [.key, .string, .oneOf, .pureToken, .oneOf])
        #expect(arguments.map(\.isOptional) == [false, false, true, true, true])
        #expect(arguments.map(\.since) == [nil, nil, "2.6.12", "6.2.0", nil])
        #expect(arguments[0].keySpecIndex == 0)
        let seconds = try #require(arguments[4].arguments.first)
        #expect(seconds.token == "EX" && seconds.name == "seconds" && seconds.kind == .integer)
        #expect(arguments[4].arguments[1].token == "KEEPTTL")
    }

    @Test("blocks, repetition and odd names")
    func blocks() {
        let arguments = CommandArgument.parse(
            "pair:(key:key0 value)* LIMIT=limit:[offset:integer count:integer] [GET=pattern:pattern1**] "
                + "[sorting!ALPHA] ip:port lib-name=libname unit:(m!m|km!km)")
        #expect(arguments[0].kind == .block && arguments[0].isMultiple)
        #expect(arguments[0].arguments.map(\.name) == ["key", "value"])
        #expect(arguments[1].token == "LIMIT" && arguments[1].isOptional)
        #expect(arguments[2].repeatsToken && arguments[2].isMultiple && arguments[2].isOptional)
        #expect(arguments[3].name == "sorting" && arguments[3].token == "ALPHA")
        #expect(arguments[4].name == "ip:port" && arguments[4].kind == .string)
        #expect(arguments[5].token == "lib-name" && arguments[5].name == "libname")
        #expect(arguments[6].arguments.map(\.token) == ["m", "km"])
        #expect(arguments[6].arguments.allSatisfy { $0.kind == .pureToken })
    }

    @Test("a reply tree is written in either protocol version")
    func replyTree() {
        let tree = ReplyTree.map([
            .init("a", .set([.simple("x"), .bulk("yy")])),
            .init("b", .array([.integer(-1), .null, .error("ERR no"), .bytes([1])])),
        ])
        func written(_ version: Int) -> String {
            var reply = ReplyWriter()
            reply.version = version
            tree.write(to: &reply)
            return String(decoding: reply.buffer.copyToArray(), as: UTF8.self)
        }
        let rest = "$1\r\nb\r\n*4\r\n:-1\r\n"
        let end = "-ERR no\r\n$1\r\n\u{1}\r\n"
        #expect(
            written(2) == "*4\r\n$1\r\na\r\n*2\r\n+x\r\n$2\r\nyy\r\n\(rest)$-1\r\n\(end)")
        #expect(
            written(3) == "%2\r\n$1\r\na\r\n~2\r\n+x\r\n$2\r\nyy\r\n\(rest)_\r\n\(end)")
    }
}

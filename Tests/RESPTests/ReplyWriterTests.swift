import HoldfastBytes
import HoldfastRESP
import TestSupport
import Testing

/// What `body` writes in each version.
private func written(_ body: (inout ReplyWriter) -> Void) -> (two: String, three: String) {
    func text(_ version: Int) -> String {
        var writer = ReplyWriter()
        writer.version = version
        body(&writer)
        return writer.buffer.slice.text
    }
    return (text(2), text(3))
}

@Suite struct ReplyWriterTests {
    @Test("simple replies are the same in both versions")
    func simple() {
        let replies: [((inout ReplyWriter) -> Void, String)] = [
            ({ $0.ok() }, "+OK\r\n"),
            ({ $0.simple("PONG" as StaticString) }, "+PONG\r\n"),
            ({ $0.simple("PON" + "G" as String) }, "+PONG\r\n"),
            ({ $0.error("ERR a\r\nb") }, "-ERR a  b\r\n"),
            ({ $0.error(bytes: [69, 82, 82, 32, 10, 65]) }, "-ERR  A\r\n"),
            ({ $0.integer(Int64.min) }, ":-9223372036854775808\r\n"),
            ({ $0.integer(0 as Int) }, ":0\r\n"),
            ({ $0.integer(Int64.max) }, ":9223372036854775807\r\n"),
            ({ $0.bulk("" as String) }, "$0\r\n\r\n"),
            ({ $0.bulk("a\r\nb" as StaticString) }, "$4\r\na\r\nb\r\n"),
            ({ $0.bulk([65, 66]) }, "$2\r\nAB\r\n"),
            ({ $0.bulk(ByteSlice("xyz")) }, "$3\r\nxyz\r\n"),
            ({ $0.bulk(decimal: -120) }, "$4\r\n-120\r\n"),
            ({ $0.array(0) }, "*0\r\n"),
            ({ $0.array(12) }, "*12\r\n"),
        ]
        for (write, text) in replies {
            #expect(written(write) == (text, text))
        }
    }

    @Test("other replies have a form of their own in RESP3")
    func byVersion() {
        let replies: [((inout ReplyWriter) -> Void, String, String)] = [
            ({ $0.null() }, "$-1\r\n", "_\r\n"),
            ({ $0.nullArray() }, "*-1\r\n", "_\r\n"),
            ({ $0.boolean(true) }, ":1\r\n", "#t\r\n"),
            ({ $0.boolean(false) }, ":0\r\n", "#f\r\n"),
            ({ $0.double(text: "2.5") }, "$3\r\n2.5\r\n", ",2.5\r\n"),
            ({ $0.verbatim("té") }, "$3\r\nté\r\n", "=7\r\ntxt:té\r\n"),
            ({ $0.map(3) }, "*6\r\n", "%3\r\n"),
            ({ $0.set(3) }, "*3\r\n", "~3\r\n"),
            ({ $0.push(3) }, "*3\r\n", ">3\r\n"),
        ]
        for (write, two, three) in replies {
            #expect(written(write) == (two, three))
        }
    }

    @Test(
        "an array's head is put in front once its count is known", arguments: [0, 1, 9, 10, 1234])
    func lateHead(count: Int) {
        let text = written { writer in
            writer.ok()
            let outer = writer.beginArray()
            writer.integer(1 as Int)
            let inner = writer.beginArray()
            for index in 0..<count { writer.integer(index) }
            writer.endArray(inner, count: count)
            writer.endArray(outer, count: 2)
            writer.null()
        }
        let items = (0..<count).map { ":\($0)\r\n" }.joined()
        #expect(text.two == "+OK\r\n*2\r\n:1\r\n*\(count)\r\n\(items)$-1\r\n")
    }

    @Test("a parser reads back what was written", arguments: [2, 3])
    func roundTrip(version: Int) throws {
        var writer = ReplyWriter()
        writer.version = version
        writer.map(2)
        writer.bulk("a" as String)
        writer.array(2)
        writer.integer(-1 as Int)
        writer.null()
        writer.bulk("b" as String)
        writer.set(3)
        writer.boolean(true)
        writer.double(text: "1.5")
        writer.verbatim("x")
        writer.push(1)
        writer.nullArray()
        writer.error("ERR no")
        let replies = try ReplyParser.all(writer.buffer.copyToArray())
        if version == 2 {
            #expect(
                replies == [
                    .array([
                        .bulk("a"), .array([.integer(-1), .null]),
                        .bulk("b"), .array([.integer(1), .bulk("1.5"), .bulk("x")]),
                    ]),
                    .array([.nullArray]), .error("ERR no"),
                ])
        } else {
            #expect(
                replies == [
                    .map([
                        .init(.bulk("a"), .array([.integer(-1), .null])),
                        .init(
                            .bulk("b"),
                            .set([
                                .boolean(true), .double("1.5"),
                                .verbatim(format: "txt", Array("x".utf8)),
                            ])),
                    ]),
                    .push([.null]), .error("ERR no"),
                ])
        }
    }
}

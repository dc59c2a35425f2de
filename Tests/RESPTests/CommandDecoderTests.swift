import HoldfastBytes
import HoldfastRESP
import Testing

/// A command as it came out of the decoder.
private struct Decoded: Equatable, CustomStringConvertible {
    var words: [[UInt8]]
    /// Where it ends, counted from the start of all input.
    var end: Int
    /// The request's bytes if the decoder said that they are canonical, else nothing.
    var canonical: [UInt8]

    var description: String {
        let shown = words.map { String(decoding: $0.prefix(20), as: UTF8.self) }
        return "\(shown) to \(end)\(canonical.isEmpty ? "" : ", canonical")"
    }
}

private struct Outcome: Equatable {
    var commands: [Decoded] = []
    var error: String?
    /// Bytes that belong to no whole command.
    var left = 0
}

private let stranger: RESPLimits = {
    var limits = RESPLimits()
    limits.isAuthenticated = false
    return limits
}()

/// Decodes `pieces` as a session does: what isn't used stays in front of the next piece.
private func decode(_ pieces: [ArraySlice<UInt8>], _ limits: RESPLimits = RESPLimits()) -> Outcome {
    var decoder = CommandDecoder()
    var batch = CommandBatch()
    var outcome = Outcome()
    var kept: [UInt8] = []
    var usedBefore = 0
    for piece in pieces {
        // A fresh array each time: nothing may point into memory of an earlier call.
        kept = kept + piece
        while outcome.error == nil {
            var used = 0
            kept.withSlice { input in
                do throws(ProtocolError) {
                    used = try decoder.decode(input, into: &batch, limits: limits)
                } catch {
                    outcome.error = error.reason
                }
                for index in 0..<batch.count {
                    let arguments = batch.arguments(of: index)
                    outcome.commands.append(
                        Decoded(
                            words: (0..<arguments.count).map { arguments[$0].copyToArray() },
                            end: usedBefore + batch[index].end,
                            canonical: batch[index].canonical.copyToArray()))
                }
            }
            let isFull = batch.isFull
            batch.removeAll()
            kept = Array(kept.dropFirst(used))
            usedBefore += used
            if !isFull { break }
        }
    }
    // How far it got before an error, a decoder doesn't tell.
    outcome.left = outcome.error == nil ? kept.count : 0
    return outcome
}

private func decode(_ text: String, _ limits: RESPLimits = RESPLimits()) -> Outcome {
    decode([Array(text.utf8)[...]], limits)
}

private func decodeByteByByte(_ bytes: [UInt8], _ limits: RESPLimits = RESPLimits()) -> Outcome {
    decode(bytes.indices.map { bytes[$0...$0] }, limits)
}

private func request(_ words: [[UInt8]]) -> [UInt8] {
    var bytes = Array("*\(words.count)\r\n".utf8)
    for word in words { bytes += Array("$\(word.count)\r\n".utf8) + word + [13, 10] }
    return bytes
}

private func request(_ words: String...) -> [UInt8] { request(words.map { Array($0.utf8) }) }

private func texts(_ outcome: Outcome) -> [[String]] {
    outcome.commands.map { $0.words.map { String(decoding: $0, as: UTF8.self) } }
}

@Suite struct CommandDecoderTests {
    private static let pipelines: [String] = [
        "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nhello\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
        "SET k \"a \\x41\\n\" 'it\\'s'\r\nGET k\n  PING  \r\n",
        "\r\n\n*1\r\n$4\r\nPING\r\n   \r\nPING\n*0\r\n*-1\r\n*2\r\n$4\r\nECHO\r\n$0\r\n\r\n",
        "*2\r\n$4\r\nECHO\r\n$12\r\n0123456789ab\r\nECHO \"\"\r\n*-10\r\n*1\r\n$1\r\nx\r\n",
        "*2\r\n$4\r\nECHO\r\n$2\r\nab##*11\r\n" + (0..<11).map { "$1\r\n\($0 % 10)\r\n" }.joined(),
        "*1\r?$4\r\nPING\r\n*1\r\n$4\r\rPING\r\n*1\r\n$4\r\nPINGxy*1\r\n$0\r\n\r\n",
        "*1\r\n$4\r\nPING\r\n*x\r\n",
        "*2\r\n$4\r\nECHO\r\nfoo\r\n",
        "*2\r\n$4\r\nECHO\r\n$-1\r\n",
        "PING\r\nSET \"a\"b\r\nPING\r\n",
    ]

    @Test("any two pieces give what the whole gives", arguments: pipelines)
    func twoPieces(text: String) {
        let bytes = Array(text.utf8)
        let whole = decode([bytes[...]])
        for cut in 0...bytes.count {
            #expect(decode([bytes[..<cut], bytes[cut...]]) == whole, "cut at \(cut)")
        }
    }

    @Test("any three pieces give what the whole gives", arguments: pipelines)
    func threePieces(text: String) {
        let bytes = Array(text.utf8)
        let whole = decode([bytes[...]])
        for first in 0...bytes.count {
            for second in first...bytes.count {
                let pieces = [bytes[..<first], bytes[first..<second], bytes[second...]]
                if decode(pieces) != whole { Issue.record("cut at \(first) and \(second)") }
            }
        }
    }

    @Test("single bytes give what the whole gives", arguments: pipelines)
    func singleBytes(text: String) {
        let bytes = Array(text.utf8)
        #expect(decodeByteByByte(bytes) == decode([bytes[...]]))
    }

    @Test("what is in a pipeline comes out, and where each command ends")
    func contents() {
        let first = decode(Self.pipelines[1])
        #expect(texts(first) == [["SET", "k", "a A\n", "it's"], ["GET", "k"], ["PING"]])
        #expect(first.commands.map(\.end) == [26, 32, 42])
        let second = decode(Self.pipelines[2])
        #expect(texts(second) == [["PING"], ["PING"], ["ECHO", ""]])
        #expect(second.left == 0)
        let unfinished = decode("*1\r\n$4\r\nPING\r\n*2\r\n$1")
        #expect(unfinished.commands.map(\.end) == [14])
        #expect(unfinished.left == 6)
    }

    @Test("a request of 1,000 arguments and a large one come out whole, in pieces as well")
    func large() {
        let many = request((0..<1_000).map { Array("argument \($0)".utf8) })
        let big = request([Array("SET".utf8), [1], [UInt8](repeating: 13, count: 3_000_000)])
        let bytes = many + big + request("PING")
        let whole = decode([bytes[...]])
        #expect(whole.commands.map(\.words.count) == [1_000, 3, 1])
        #expect(whole.commands[1].words[2].count == 3_000_000)
        #expect(whole.commands.map(\.canonical) == [many, big, request("PING")])
        let border = many.count + big.count
        for cut in [1, 6, many.count - 1, many.count, many.count + 30, border - 1, border] {
            #expect(decode([bytes[..<cut], bytes[cut...]]) == whole, "cut at \(cut)")
        }
        #expect(decodeByteByByte(many) == decode([many[...]]))
    }

    @Test("a batch takes 32 commands, the next call goes on")
    func fullBatch() {
        let bytes = Array((0..<100).map { request("ECHO", "\($0)") }.joined())
        var decoder = CommandDecoder()
        var batch = CommandBatch()
        bytes.withSlice { input in
            let used = try? decoder.decode(input, into: &batch, limits: RESPLimits())
            #expect(used == batch[31].end)
            #expect(batch.isFull && batch.count == CommandBatch.commandsMax)
            #expect(batch.arguments(of: 31)[1].text == "31")
            // A full batch takes nothing.
            #expect((try? decoder.decode(input, into: &batch, limits: RESPLimits())) == 0)
        }
        #expect(texts(decode([bytes[...]])) == (0..<100).map { ["ECHO", "\($0)"] })
    }

    // MARK: Canonical requests

    @Test(
        "only a request that is canonical to the byte may go into the log as it came",
        arguments: [
            ("*1\r\n$4\r\nPING\r\n", true), ("*2\r\n$4\r\nECHO\r\n$10\r\n0123456789\r\n", true),
            ("*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", true), ("*1\r\n$4\r\nPINGxx", false),
            ("*1\r\n$4\r\nPING\r\r", false), ("*1\r\n$4\r\nPING\n\n", false),
            ("*1\r\r$4\r\nPING\r\n", false), ("*1\r\n$4\rxPING\r\n", false),
            ("*2\r\n$4\r\nECHO\r\n$10\rx0123456789\r\n", false), ("PING\r\n", false),
            ("*2\r\n$4\r\nECHOxx$1\r\na\r\n", false),
        ] as [(String, Bool)])
    func canonical(text: String, isCanonical: Bool) {
        let bytes = Array(text.utf8)
        for outcome in [decode(text), decode(text, stranger), decodeByteByByte(bytes)] {
            #expect(outcome.commands.count == 1)
            #expect(outcome.commands.first?.canonical == (isCanonical ? bytes : []))
        }
    }

    @Test("the way for whole requests and the general one agree, whatever byte is wrong")
    func waysAgree() {
        let bytes = request("SET", "key", "0123456789ab", "") + request("GET", "k")
        for position in bytes.indices {
            for byte in [0, 10, 13, 36, 42, 43, 45, 48, 49, 57, 58, 97, 255] as [UInt8] {
                var changed = bytes
                changed[position] = byte
                // The bound for strangers isn't reached, but turns the short way off.
                let whole = decode([changed[...]])
                #expect(whole == decode([changed[...]], stranger), "\(byte) at \(position)")
                #expect(whole == decodeByteByByte(changed), "\(byte) at \(position)")
            }
        }
    }

    @Test("sizes around the borders of the short way come out the same", arguments: [0, 9, 10])
    func borderSizes(count: Int) {
        for size in [0, 1, 9, 10, 99, 100, 999, 1_000, 9_999, 10_000, 99_999, 999_999, 1_000_000] {
            let words = Array(repeating: [UInt8](repeating: 97, count: size), count: 1)
            let bytes = request(words + Array(repeating: [98], count: count))
            let outcome = decode([bytes[...]])
            #expect(outcome.commands.map(\.words.count) == [count + 1])
            #expect(outcome.commands.first?.words[0].count == size)
            #expect(outcome.commands.first?.canonical == bytes)
        }
    }

    // MARK: Errors

    @Test(
        "what breaks the protocol is refused with Redis's words",
        arguments: [
            ("*x\r\n", "invalid multibulk length"), ("*+1\r\n", "invalid multibulk length"),
            ("* 1\r\n", "invalid multibulk length"), ("*01\r\n", "invalid multibulk length"),
            ("*\r\n", "invalid multibulk length"), ("*1x\r\n", "invalid multibulk length"),
            ("*2147483648\r\n", "invalid multibulk length"),
            ("*9223372036854775808\r\n", "invalid multibulk length"),
            ("*1\r\nP", "expected '$', got 'P'"), ("*1\r\n\r\n", "expected '$', got ' '"),
            ("*1\r\n$-1\r\n", "invalid bulk length"), ("*1\r\n$x\r\n", "invalid bulk length"),
            ("*1\r\n$01\r\n", "invalid bulk length"), ("*1\r\n$\r\n", "invalid bulk length"),
            ("*1\r\n$536870913\r\n", "invalid bulk length"),
            ("*1\r\n$9223372036854775807\r\n", "invalid bulk length"),
            ("SET \"a\r\n", "unbalanced quotes in request"),
            ("SET 'a'b\r\n", "unbalanced quotes in request"),
        ])
    func refused(text: String, reason: String) {
        #expect(decode(text) == Outcome(error: reason))
        #expect(decodeByteByByte(Array(text.utf8)).error == reason)
        let after = decode([request("PING")[...] + Array(text.utf8)])
        #expect(after.commands.count == 1, "what came before is answered")
        #expect(after.error == reason)
    }

    @Test("the largest count and length allowed are waited for")
    func largestAllowed() {
        for text in ["*2147483647\r\n", "*1\r\n$536870912\r\n", "*1\r", "*12", "*1\r\n$12\r"] {
            #expect(decode(text) == Outcome(left: text.utf8.count))
        }
    }

    @Test("no configured length makes the arithmetic overflow")
    func hugeLimit() {
        var limits = RESPLimits()
        limits.bulkBytesMax = .max
        for text in [
            "*1\r\n$9223372036854775807\r\n", "*2\r\n$1\r\na\r\n$9223372036854775806\r\nab",
        ] {
            #expect(decode(text, limits).error == "invalid bulk length")
            #expect(decodeByteByByte(Array(text.utf8), limits).error == "invalid bulk length")
        }
        #expect(decode("*1\r\n$4611686018427387904\r\nabc", limits).error == nil)
    }

    @Test(
        "a line without end is refused once it is over 64 KiB",
        arguments: [
            ("", "too big inline request"), ("*", "too big mbulk count string"),
            ("*1\r\n$", "too big bulk count string"),
        ])
    func endlessLine(start: String, reason: String) {
        let head = Array(start.utf8)
        let line = head.lastIndex { $0 == 42 || $0 == 36 } ?? 0
        let most = [UInt8](repeating: 49, count: RESPLimits.lineBytesMax - (head.count - line))
        #expect(decode([(head + most)[...]]).error == nil)
        #expect(decode([(head + most + [49])[...]]).error == reason)
        #expect(decode([head[...], most[...], [49]]).error == reason)
    }

    @Test("before authentication a request is small")
    func strangers() {
        let ten = request((0..<10).map { _ in [97] })
        let eleven = request((0..<11).map { _ in [97] })
        #expect(decode([ten[...]], stranger).commands.count == 1)
        #expect(decode([eleven[...]], stranger).error == "unauthenticated multibulk length")
        let most = request([[UInt8](repeating: 97, count: 16_384)])
        let more = request([[UInt8](repeating: 97, count: 16_385)])
        #expect(decode([most[...]], stranger).commands.count == 1)
        #expect(decode([more[...]], stranger).error == "unauthenticated bulk length")
        #expect(decodeByteByByte(more, stranger).error == "unauthenticated bulk length")
        #expect(decode([(eleven + more)[...]]).commands.count == 2)
    }

    // MARK: Inline requests

    @Test(
        "inline words are split alike with and without quotes",
        arguments: [
            ("a b", ["a", "b"]), ("  a\tb  ", ["a", "b"]), ("a\rb", ["a", "b"]),
            ("a\u{b}b c", ["a\u{b}b", "c"]), ("a\u{c}b", ["a\u{c}b"]), ("\u{b} a", ["a"]),
            ("a\0b c", ["a"]), ("a \0b", ["a"]),
        ] as [(String, [String])])
    func inlineWords(line: String, words: [String]) {
        #expect(texts(decode(line + "\r\n")) == [words])
        #expect(texts(decode("\"q\" " + line + "\r\n")) == [["q"] + words])
    }

    // MARK: Starting over

    @Test("after restart a begun request is read again from its first byte")
    func restart() {
        let bytes = request("SET", "k", "0123456789ab")
        var decoder = CommandDecoder()
        var batch = CommandBatch()
        for cut in 0..<bytes.count {
            let begun = Array(bytes[..<cut])
            #expect(
                begun.withSlice { try? decoder.decode($0, into: &batch, limits: RESPLimits()) } == 0
            )
            decoder.restart()
            let isInside = decoder.isInsideCommand
            #expect(!isInside)
            bytes.withSlice { input in
                let used = try? decoder.decode(input, into: &batch, limits: RESPLimits())
                #expect(used == bytes.count)
                #expect(batch.count == 1 && batch.arguments(of: 0).count == 3)
            }
            batch.removeAll()
        }
    }

    @Test("the decoder says how much of an argument is to come")
    func hint() {
        var decoder = CommandDecoder()
        var batch = CommandBatch()
        let begun = Array("*2\r\n$3\r\nGET\r\n$1000\r\nabc".utf8)
        begun.withSlice { _ = try? decoder.decode($0, into: &batch, limits: RESPLimits()) }
        let isInside = decoder.isInsideCommand
        let missing = decoder.missingBytesHint
        let found = batch.count
        #expect(isInside)
        #expect(missing == 1_000)
        #expect(found == 0)
    }

    @Test("words given by hand are a command like one received")
    func byHand() {
        var batch = CommandBatch()
        batch.appendCommand([Array("GET".utf8), []])
        batch.appendCommand([Array("PING".utf8)])
        #expect(batch.count == 2)
        #expect(batch.arguments(of: 0)[0].text == "GET")
        #expect(batch.arguments(of: 0)[1].isEmpty)
        #expect(batch.arguments(of: 1).dropFirst(1).count == 0)
        #expect(batch[1].canonical.isEmpty && batch[1].row == -1)
        batch.note(1, row: 7, keyHash: 9)
        #expect(batch[1].row == 7 && batch[1].keyHash == 9)
        batch.removeAll()
        #expect(batch.count == 0)
    }
}

import HoldfastBytes
import Testing

@testable import Log

private func parse(_ text: String) throws(ManifestError) -> Manifest {
    try text.withSlice { (bytes) throws(ManifestError) in try Manifest(parsing: bytes) }
}

private func reason(_ text: String) -> String {
    do throws(ManifestError) {
        _ = try parse(text)
        return "accepted"
    } catch { return error.reason }
}

private func text(_ manifest: Manifest) -> String {
    var buffer = ByteBuffer()
    manifest.append(to: &buffer)
    return buffer.slice.text
}

@Suite("the manifest")
struct ManifestTests {
    private let line = "file a.1.incr.aof seq 1 type i\n"
    private let wrong = "Invalid AOF manifest file format"
    private let tooLong = "The AOF manifest file contains too long line"

    @Test("Redis's own lines are read")
    func redisLines() throws {
        let manifest = try parse(
            "file appendonly.aof.2.base.rdb seq 2 type b\nfile appendonly.aof.1.incr.aof seq 1 type h\n"
                + "file appendonly.aof.2.incr.aof seq 2 type i\n")
        #expect(manifest.history == nil)
        #expect(
            manifest.lines == [
                .init(name: "appendonly.aof.2.base.rdb", sequence: 2, type: .base),
                .init(name: "appendonly.aof.1.incr.aof", sequence: 1, type: .history),
                .init(name: "appendonly.aof.2.incr.aof", sequence: 2, type: .incremental),
            ])
        #expect(manifest.loaded.map(\.sequence) == [2, 2])
    }

    @Test("only a type's first character counts, in lower case")
    func types() throws {
        #expect(try parse("file a seq 1 type incremental\n").lines[0].type == .incremental)
        #expect(reason("file a seq 1 type I\n") == "Unknown AOF file type")
        #expect(reason("file a seq 1 type x\n") == "Unknown AOF file type")
        #expect(reason("file a seq 1 type \"\"\n") == wrong)
    }

    @Test("the base is loaded first, wherever its line stands")
    func order() throws {
        let manifest = try parse(line + "file b seq 1 type b\nfile c seq 4 type i\n")
        #expect(manifest.loaded.map(\.name) == ["b", "a.1.incr.aof", "c"])
    }

    @Test("sequence numbers rise in incremental lines and nowhere else")
    func sequences() throws {
        let message = "Found a non-monotonic sequence number"
        #expect(reason(line + line) == message)
        #expect(reason("file a seq 2 type i\n" + line) == message)
        #expect(
            reason("file a seq 3 type h\nfile b seq 1 type h\nfile c seq 9 type b\n" + line)
                == "accepted")
        for bad in ["0", "-1", "x", "1.5", ""] {
            #expect(reason("file a seq \(bad) type i x y\n") == wrong, "\(bad)")
        }
    }

    @Test("there is one base at most")
    func twoBases() {
        #expect(
            reason("file a seq 1 type b\nfile b seq 2 type b\n")
                == "Found duplicate base file information")
    }

    @Test("keys have any case and order, unknown pairs are skipped")
    func keys() throws {
        #expect(try parse("TYPE i FiLe a.1.incr.aof later x seq 1\n") == parse(line))
        #expect(reason("file a seq 1 type i odd\n") == wrong)
        #expect(reason("file a seq 1\n") == wrong)
        #expect(reason("file a seq 1 x y\n") == wrong)
        #expect(reason("seq 1 type i x y\n") == wrong)
    }

    @Test("names may be quoted both ways")
    func quoting() throws {
        let name = "a \"b\"\\'\t\u{e9}.aof"
        let manifest = Manifest(lines: [.init(name: name, sequence: 1, type: .incremental)])
        // A backslash in a name is a path for Redis.
        #expect(reason(text(manifest)) == "File can't be a path, just a filename")
        let legal = Manifest(
            lines: [.init(name: "a \"b\"'\t\u{e9}.aof", sequence: 1, type: .incremental)])
        #expect(text(legal) == "file \"a \\\"b\\\"'\\t\\xc3\\xa9.aof\" seq 1 type i\n")
        #expect(try parse(text(legal)) == legal)
        #expect(try parse("file 'a \\'b' seq 1 type i\n").lines[0].name == "a 'b")
        #expect(try parse("file \"\\x41\\n\\q\" seq 1 type i\n").lines[0].name == "A\nq")
        #expect(reason("file \"a seq 1 type i\n") == wrong)
        #expect(reason("file \"a\"b seq 1 type i\n") == wrong)
        #expect(reason("file \"\" seq 1 type i\n") == wrong)
        #expect(reason("file .. seq 1 type i\n") == wrong)
        #expect(reason("file \"\\xff\" seq 1 type i\n") == wrong)
    }

    @Test("a name is no path")
    func paths() {
        #expect(
            reason("file ../a seq 1 type i\n") == "File can't be a path, just a filename")
    }

    @Test("comments stand in the first column; blank lines don't stand at all")
    func comments() throws {
        #expect(try parse("# one\n\(line)#two\n") == parse(line))
        #expect(reason(" # one\n" + line) == wrong)
        #expect(reason(line + "\n") == wrong)
        #expect(reason(" \t\n") == wrong)
        #expect(try parse("# only\n").lines.isEmpty)
        #expect(reason("") == "Found an empty AOF manifest")
    }

    @Test("lines end in a newline within 1,023 bytes")
    func lengths() throws {
        #expect(reason(String(line.dropLast())) == tooLong)
        let padding = String(repeating: "x", count: 1023 - line.utf8.count - 2 + 1)
        let longest = line.dropLast() + " k \(padding.dropLast())\n"
        #expect(longest.utf8.count == 1024)
        #expect(try parse(String(longest)) == parse(line))
        #expect(reason(line.dropLast() + " k \(padding)\n") == tooLong)
        #expect(reason("#" + String(repeating: "x", count: 1022) + "\n" + line) == "accepted")
        // The rest of a longer comment is a line of its own.
        #expect(reason("#" + String(repeating: "x", count: 1023) + "\n" + line) == wrong)
        #expect(reason("file a seq 1 type i\0\n") == tooLong)
        #expect(try parse("file a.1.incr.aof seq 1 type i\r\n") == parse(line))
    }

    private var ours: Manifest {
        Manifest(
            history: testHistory, durable: LSN(171),
            lines: [
                .init(name: "b.base.aof", sequence: 1, type: .base, firstLSN: LSN(7)),
                .init(name: "h", sequence: 1, type: .history, firstLSN: LSN(0)),
                .init(
                    name: "a.2.incr.aof", sequence: 2, type: .incremental, firstLSN: LSN(7),
                    bytes: 99),
                .init(name: "a.3.incr.aof", sequence: 3, type: .incremental, firstLSN: LSN(171)),
            ])
    }

    @Test("ours reads back as it was written")
    func roundTrip() throws {
        #expect(try parse(text(ours)) == ours)
        #expect(
            text(ours).hasPrefix(
                "#HFM 1 0123456789abcdeffedcba9876543210deadbeef 171 "))
        #expect(
            text(ours).hasSuffix(
                "file a.2.incr.aof seq 2 type i lsn 7 bytes 99\nfile a.3.incr.aof seq 3 type i lsn 171\n"
            ))
    }

    @Test("every flipped bit and every cut of ours is found, but for cuts that leave a comment")
    func damage() {
        let bytes = Array(text(ours).utf8)
        for bit in 0..<bytes.count * 8 {
            var flipped = bytes
            flipped[bit / 8] ^= 1 << (bit % 8)
            let isAccepted = flipped.withSlice { (try? Manifest(parsing: $0)) != nil }
            #expect(!isAccepted, "bit \(bit)")
        }
        for kept in 0..<bytes.count {
            Array(bytes.prefix(kept)).withSlice { slice in
                let read = try? Manifest(parsing: slice)
                #expect(read == nil || (kept < 3 && read == Manifest()), "kept \(kept)")
            }
        }
    }

    @Test("LSNs without our first line are damage, and so is a first line of ours that doesn't fit")
    func seal() {
        #expect(reason("file a seq 1 type i lsn 5\n").contains("first line isn't ours"))
        #expect(reason("# x\n" + text(ours)).contains("first line isn't ours"))
        #expect(reason(text(ours) + "# x\n") == "the manifest fails its checksum")
        #expect(
            reason("#HFM 2 0123456789012345678901234567890123456789 0 00000000\n" + line)
                == "format version 2 is not known to this program")
    }
}

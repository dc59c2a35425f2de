import HoldfastBytes
import TestSupport
import Testing
import ToolKit

@Suite("tool kit")
struct ToolKitTests {
    @Test("sizes and durations are read and printed")
    func quantities() {
        #expect(Quantities.size("300") == 300)
        #expect(Quantities.size("64mb") == 64 << 20)
        #expect(Quantities.size("1.5GiB") == 3 << 29)
        #expect(Quantities.size("10k") == 10_000)
        #expect(Quantities.size("9999999tb") == nil)
        #expect(Quantities.size("x") == nil)
        #expect(Quantities.size("") == nil)
        #expect(Quantities.milliseconds("90s") == 90_000)
        #expect(Quantities.milliseconds("1h30m") == 5_400_000)
        #expect(Quantities.milliseconds("2") == 2000)
        #expect(Quantities.milliseconds("1h3") == nil)
        #expect(Quantities.milliseconds("h") == nil)
        #expect(Quantities.range("1k..2k", Quantities.size) == 1000...2000)
        #expect(Quantities.range("..2k", Quantities.size) == 0...2000)
        #expect(Quantities.range("5..", Quantities.size) == 5...Int64.max)
        #expect(Quantities.range("7", Quantities.size) == 7...7)
        #expect(Quantities.range("2..1", Quantities.size) == nil)
        #expect(Quantities.bytes(1023) == "1023 B")
        #expect(Quantities.bytes(1536) == "1.5 KiB")
        #expect(Quantities.bytes(1 << 40) == "1.0 TiB")
        #expect(Quantities.count(Int64(1_234_567)) == "1,234,567")
        #expect(Quantities.count(Int64(-123)) == "-123")
        #expect(Quantities.duration(milliseconds: 125_000) == "2m 05s")
        #expect(Quantities.duration(milliseconds: 1500) == "1.5 s")
        #expect(Quantities.duration(milliseconds: 26 * 3_600_000) == "1d 02h")
    }

    @Test("moments go to text and back, for every day of four centuries")
    func moments() {
        #expect(Moments.text(0) == "1970-01-01T00:00:00.000Z")
        #expect(Moments.text(1_700_000_000_017) == "2023-11-14T22:13:20.017Z")
        for day in stride(from: Int64(0), to: 146_097, by: 1) {
            let moment = day * 86_400_000 + 12_345
            #expect(Moments.parse(Moments.text(moment), now: 0) == moment)
        }
        #expect(Moments.parse("2026-11-21", now: 0) == 1_795_219_200_000)
        #expect(Moments.parse("2026-11-21 01:00+01:00", now: 0) == 1_795_219_200_000)
        #expect(Moments.parse("1700000000", now: 0) == 1_700_000_000_000)
        #expect(Moments.parse("1700000000.25", now: 0) == 1_700_000_000_250)
        #expect(Moments.parse("1700000000017", now: 0) == 1_700_000_000_017)
        #expect(Moments.parse("-10m", now: 1_000_000) == 400_000)
        #expect(Moments.parse("now", now: 7) == 7)
        for wrong in ["2026-13-01", "2026-02-29", "2026-11-21T25:00", "", "soon", "-x"] {
            #expect(Moments.parse(wrong, now: 1) == nil, "\(wrong)")
        }
    }

    @Test("the marked byte of a hex window stands over its mark")
    func hexWindow() {
        let bytes = Array(UInt8(0)..<40)
        let lines = bytes.withSlice { HexWindow.lines($0, from: 0x100, marked: 0x11b) }
        #expect(lines.count == 4)
        #expect(lines[1].hasPrefix("> 00000110  10 11"))
        let column = lines[2].count - 2
        #expect(lines[2].hasSuffix("^^"))
        #expect(Array(lines[1])[column...column + 1] == ["1", "b"])
        let atEnd = [UInt8](repeating: 65, count: 16).withSlice {
            HexWindow.lines($0, from: 0, marked: 16)
        }
        #expect(atEnd.count == 3)
    }

    @Test("JSON is nested, escaped, and base64 where bytes are no text")
    func json() {
        let output = Output.kept()
        let writer = JSONWriter(output, isCompact: true)
        writer.beginObject()
        writer.value("a", "x\"\n\u{1}")
        writer.beginArray("b")
        writer.value(nil, 1)
        writer.value(nil, true)
        writer.null()
        writer.value(nil, 1.5)
        writer.endArray()
        [UInt8]([0xff, 0x00]).withSlice { writer.value("c", bytes: $0) }
        writer.endObject()
        writer.endDocument()
        #expect(
            output.keptText
                == #"{"a":"x\"\n\u0001","b":[1,true,null,1.500],"c":{"base64":"/wA="}}"# + "\n")
    }

    @Test("keys are printed so that they can be read back")
    func keys() {
        func text(_ bytes: [UInt8], _ escape: KeyText) -> String {
            bytes.withSlice { escape.text($0) }
        }
        #expect(text(Array("user:1".utf8), .utf8) == "user:1")
        #expect(text(Array("a b".utf8), .utf8) == "\"a b\"")
        #expect(text(Array("grün".utf8), .utf8) == "grün")
        #expect(text([0x61, 0xff, 0x0a], .utf8) == "\"a\\xff\\n\"")
        #expect(text([], .utf8) == "\"\"")
        #expect(text([0x61, 0xff], .hex) == "61ff")
        #expect(text(Array("abcd".utf8), .base64) == "YWJjZA==")
    }

    @Test("a pattern that explodes is refused instead of run for ever")
    func patterns() throws {
        let pattern = try TextPattern("^user:[0-9]+$")
        #expect(try Array("user:12".utf8).withSlice { try pattern.isFound(in: $0) })
        #expect(try !Array("user:x".utf8).withSlice { try pattern.isFound(in: $0) })
        #expect(throws: UsageError.self) { try TextPattern("a(b") }
        let bomb = try TextPattern("^(a+)+$")
        #expect(throws: UsageError.self) {
            try Array((String(repeating: "a", count: 60) + "!").utf8).withSlice {
                try bomb.isFound(in: $0)
            }
        }
    }

    @Test("words go to a shell and come back")
    func shellWords() throws {
        #expect(shellWord("/a/b.rdb") == "/a/b.rdb")
        #expect(shellWord("-x") == "./-x")
        for word in ["a b", "it's", "", "$HOME", "*", "a\nb", "grün", "'", "[x]", "`x`"] {
            let run = try Subprocess.run(["sh", "-c", "printf %s \(shellWord(word))"])
            #expect(run.output == word)
        }
    }

    @Test("of several results the worst is the program's")
    func worst() {
        #expect(ExitCode.worst([.sound, .torn, .damaged]) == .damaged)
        #expect(ExitCode.worst([.sound, .torn]) == .torn)
        #expect(ExitCode.worst([]) == .sound)
    }
}

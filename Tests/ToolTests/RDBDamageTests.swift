import Foundation
import HoldfastBytes
import HoldfastPlatform
import RDBCheck
import TestSupport
import Testing
import ToolKit

@Suite("rdb-check on damaged files")
struct RDBDamageTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("a.rdb")
    }

    @Test("a file with every form is sound")
    func sound() throws {
        try RDBFiles.write(RDBFiles.small, to: path)
        let (code, file) = try RDBFiles.verify(path)
        #expect(code == .sound, "\(RDBFiles.run("verify", path).text)")
        #expect(file["keys"] as? Int == 20)
        #expect(file["expires"] as? Int == 7)
        #expect(file["checksum"] as? String == "right")
    }

    @Test("any one bit changed is found, and named exactly")
    func flips() throws {
        for bit in 0..<RDBFiles.small.count * 8 {
            var bytes = RDBFiles.small
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            try RDBFiles.write(bytes, to: path)
            let (code, file) = try RDBFiles.verify(path)
            #expect(code == .damaged, "bit \(bit): \(file)")
            let changed = (file["damage"] as? [String: Any])?["changed"] as? [String: Any]
            #expect(changed?["offset"] as? Int == bit / 8, "bit \(bit): \(file)")
            let xor = String(UInt8(1) << UInt8(bit % 8), radix: 16)
            #expect((changed?["xor"] as? String)?.hasSuffix(xor) == true, "bit \(bit)")
        }
    }

    @Test("two bytes side by side changed are named too")
    func pairs() throws {
        for place in stride(from: 0, to: RDBFiles.small.count - 9, by: 7) {
            var bytes = RDBFiles.small
            bytes[place] ^= 0x5a
            bytes[place + 1] ^= 0x81
            try RDBFiles.write(bytes, to: path)
            let (code, file) = try RDBFiles.verify(path)
            #expect(code == .damaged)
            let changed = (file["damage"] as? [String: Any])?["changed"] as? [String: Any]
            #expect(changed?["offset"] as? Int == place)
            #expect(changed?["xor"] as? String == "5a81")
        }
    }

    @Test("cut anywhere it is torn, at the cut")
    func cuts() throws {
        for count in 0..<RDBFiles.small.count {
            try RDBFiles.write(Array(RDBFiles.small[..<count]), to: path)
            let (code, file) = try RDBFiles.verify(path)
            #expect(code == .torn, "cut to \(count): \(file)")
            let offset = (file["damage"] as? [String: Any])?["offset"] as? Int ?? -1
            #expect((0...count).contains(offset), "cut to \(count): \(file)")
        }
    }

    @Test(
        "compressed files: any change is found, any cut is a torn tail",
        arguments: ["lz4", "gzip", "zstd"])
    func compressed(kind: String) throws {
        try RDBFiles.write(RDBFiles.small, to: path)
        let packed = folder.file("a.packed")
        switch kind {
        case "lz4":
            #expect(
                RDBFiles.run("convert", "--compression", "lz4", "-o", packed, path).code == .sound)
        case "gzip": _ = try Subprocess.run(["sh", "-c", "gzip -c \(path) > \(packed)"])
        default: _ = try Subprocess.run(["zstd", "-q", "--check", path, "-o", packed])
        }
        let whole = try RDBFiles.read(packed)
        #expect(try RDBFiles.verify(packed).code == .sound)
        #expect(RDBFiles.run("digest", packed).text == RDBFiles.run("digest", path).text)
        for count in 0..<whole.count {
            try RDBFiles.write(Array(whole[..<count]), to: path)
            let code = try RDBFiles.verify(path).code
            // Of a magic that is cut itself nothing can be said.
            #expect(code == .torn || (count < 4 && code == .foreign), "cut to \(count): \(code)")
        }
        // Some bits of a gzip or zstd head mean nothing: a time, a name.
        let head = kind == "lz4" ? 0 : 18
        for bit in head * 8..<whole.count * 8 {
            var bytes = whole
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            try RDBFiles.write(bytes, to: path)
            let code = try RDBFiles.verify(path).code
            if code == .sound {
                // Bits that no decoder looks at: what comes out is the same.
                #expect(RDBFiles.run("digest", path).text == RDBFiles.run("digest", packed).text)
                #expect(kind != "lz4", "bit \(bit)")
            }
        }
    }

    @Test("what was written wrong is told from what was damaged")
    func asWritten() throws {
        let twice = "02 02 0161 0161"
        try RDBFiles.write(RDBFiles.file(version: 10, ["00 0161", twice]), to: path)
        let (code, file) = try RDBFiles.verify(path)
        #expect(code == .damaged)
        let damage = try #require(file["damage"] as? [String: Any])
        #expect(damage["as_written"] as? Bool == true)
        #expect(damage["key"] as? String == "ab")
        #expect(damage["message"] as? String == "the same member twice")
    }

    @Test("a key that is there twice is found and named")
    func repeatedKey() throws {
        var bytes = Array("REDIS0010".utf8) + [0xfe, 0]
        for key in ["x", "y", "x"] { bytes += [0, 1] + Array(key.utf8) + [1, 0x76] }
        bytes += [0xfe, 1, 0, 1, 0x79, 1, 0x76, 0xff] + [UInt8](repeating: 0, count: 8)
        try RDBFiles.write(bytes, to: path)
        let (code, file) = try RDBFiles.verify(path)
        #expect(code == .damaged)
        let damage = try #require(file["damage"] as? [String: Any])
        #expect(damage["key"] as? String == "x")
        #expect(damage["offset"] as? Int == 21)
    }

    @Test("newer versions and other files are foreign, nothing at all is unreadable")
    func foreign() throws {
        try RDBFiles.write(Array("REDIS0013".utf8) + [0xff], to: path)
        #expect(try RDBFiles.verify(path).code == .foreign)
        try RDBFiles.write(Array("#!/bin/sh\necho hello world\n".utf8), to: path)
        #expect(try RDBFiles.verify(path).code == .foreign)
        #expect(try RDBFiles.verify(folder.file("none")).code == .inputOutput)
        #expect(try RDBFiles.verify(folder.path).code == .inputOutput)
        #expect(RDBFiles.run("verify").code == .usage)
        #expect(RDBFiles.run("verify", "--frobnicate", path).code == .usage)
    }

    @Test(
        "lengths that nothing stands behind take no memory",
        arguments: [
            "00 8100000100000000ff", "00 c3 8100000080000000 810000010000000000 41",
            "04 8000ffffffff 0161", "12 81000000ffffffffff 02", "02 810000ffffffffffff 0161",
            "15 81000000ffffffffff 10",
        ])
    func lengths(value: String) throws {
        let head = Array("REDIS0011".utf8) + [0xfe, 0]
        let bytes = RDBFiles.hex(value)
        try RDBFiles.write(head + [bytes[0], 1, 0x6b] + bytes.dropFirst(), to: path)
        let program = try RDBFiles.program()
        let run = try Subprocess.run(["sh", "-c", "ulimit -v 300000; exec \(program) \(path)"])
        #expect([1, 5].contains(run.status), "\(run.output)")
    }

    @Test("files of every version are read", arguments: 1...12)
    func versions(version: Int) throws {
        let file = RDBFiles.file(version: version, ["00 0161", "01 02 0161 0162", "02 01 0161"])
        // Deadlines in ms came with version 3 and are read in any.
        try RDBFiles.write(file, to: path)
        let (code, facts) = try RDBFiles.verify(path)
        #expect(code == .sound, "\(facts)")
        #expect(facts["keys"] as? Int == 3)
        #expect(facts["checksum"] as? String == (version < 5 ? "absent" : "right"))
    }

    @Test("salvage repairs what the checksum names, and loses nothing")
    func repair() throws {
        try RDBFiles.write(RDBFiles.small, to: path)
        let digest = RDBFiles.run("digest", path).text
        for place in stride(from: 0, to: RDBFiles.small.count, by: 11) {
            var bytes = RDBFiles.small
            bytes[place] ^= 0x10
            let broken = folder.file("broken.rdb")
            let new = folder.file("new.rdb")
            try RDBFiles.write(bytes, to: broken)
            #expect(RDBFiles.run("salvage", "--force", "-o", new, broken).code == .sound)
            #expect(RDBFiles.run("digest", new).text == digest, "byte \(place)")
        }
    }

    @Test("without a checksum salvage loses the broken key, and no other")
    func salvageKeys() throws {
        // Every element that can be broken is inside its value's own length.
        let good = (0..<40).map { "00 08" + String(repeating: "6\($0 % 10)", count: 8) }
        for broken in [
            "10 12 120000000400816602817602816e020502ff", "0b 0e 0200000003000000ff00fe000300",
            "12 01 02 14 1400000005008161020101ded402f2409c0004ff", "04 02 0166 c8", "07",
        ] {
            var values = good
            values.insert(broken, at: 20)
            // Not more than there are letters for the second byte of a key.
            try RDBFiles.write(RDBFiles.file(version: 10, values, sums: false), to: path)
            let new = folder.file("new.rdb")
            #expect(try RDBFiles.verify(path).code == .damaged)
            let (code, report) = try RDBFiles.json(["salvage", "--force", "-o", new, path])
            #expect(code == .sound)
            #expect(try RDBFiles.verify(new).code == .sound)
            let kept = report["keys"] as? Int ?? 0
            #expect(kept >= 39, "\(broken): \(report)")
            let lost = try #require(report["lost"] as? [[String: Any]])
            #expect(lost.first?["key"] as? String == "au", "\(lost)")
        }
    }
}

@Suite("rdb-check on values too long to hold")
struct RDBLongValueTests {
    private let folder: TemporaryFolder
    private let path: String

    init() throws {
        folder = try TemporaryFolder()
        path = folder.file("a.rdb")
    }

    /// An element of a listpack.
    private func element(_ text: [UInt8]) -> [UInt8] {
        let head: [UInt8] =
            text.count < 64
            ? [0x80 | UInt8(text.count)]
            : text.count < 4096
                ? [0xe0 | UInt8(text.count >> 8), UInt8(text.count & 0xff)]
                : [0xf0] + (0..<4).map { UInt8(truncatingIfNeeded: text.count >> ($0 * 8)) }
        let whole = head.count + text.count
        var behind: [UInt8] = []
        var left = whole
        repeat {
            behind.insert(UInt8(left & 0x7f), at: 0)
            left >>= 7
        } while left > 0
        for index in behind.indices.dropFirst() { behind[index] |= 0x80 }
        return head + text + behind
    }

    private func listpack(_ elements: [UInt8], count: Int) -> [UInt8] {
        let total = 7 + elements.count
        return (0..<4).map { UInt8(truncatingIfNeeded: total >> ($0 * 8)) }
            + [UInt8(count & 0xff), UInt8(count >> 8)] + elements + [0xff]
    }

    /// A file with a blob under the key "l", and another key behind it.
    private func write(_ form: UInt8, _ blob: [UInt8], inNode: Bool = false) throws {
        let size = (0..<4).map { UInt8(truncatingIfNeeded: blob.count >> (24 - $0 * 8)) }
        let file =
            Array("REDIS0011".utf8) + [0xfe, 0, form, 1, 0x6c] + (inNode ? [1, 2] : []) + [0x80]
            + size + blob + [0, 1, 0x6b, 1, 0x76, 0xff] + [UInt8](repeating: 0, count: 8)
        try RDBFiles.write(file, to: path)
    }

    private static let filler = [UInt8](repeating: 0x61, count: 4000)

    @Test("their structure is checked, and their elements counted")
    func structure() throws {
        let one = element(Self.filler)
        let whole = listpack(
            [UInt8](([[UInt8]](repeating: one, count: 5400)).joined()), count: 5400)
        for wrong in [nil, 5, 100_000, 4_000_000, 20_000_000] {
            var blob = whole
            if let wrong { blob[wrong - wrong % 4004 + 6] = wrong == 5 ? 0xf7 : 0x05 }
            try write(18, blob, inNode: true)
            let (code, facts) = try RDBFiles.verify(path)
            #expect(code == (wrong == nil ? .sound : .damaged), "\(wrong ?? 0): \(facts)")
            if wrong == nil {
                #expect((facts["notes"] as? [String])?.isEmpty == true)
                #expect(facts["elements"] as? Int == 5400)
            }
        }
    }

    @Test("what their elements mean is checked: scores, pairs, and what is there twice")
    func elements() throws {
        func pairs(_ last: [[UInt8]]) -> [UInt8] {
            var bytes: [UInt8] = []
            var count = 0
            for index in 0..<4200 {
                bytes += element(Array("\(index)".utf8) + Self.filler) + element([0x31])
                count += 2
            }
            for word in last { bytes += element(word) }
            return listpack(bytes, count: count + last.count)
        }
        let first = [0x30] + Self.filler
        let cases: [(UInt8, [[UInt8]], String?)] = [
            (16, [[0x7a], [0x31]], nil), (16, [first, [0x31]], "the same member twice"),
            (16, [[0x7a]], "elements that don't come in pairs"), (17, [[0x7a], [0x32]], nil),
            (17, [[0x7a], [0x78]], "this is no score"),
            (20, [[0x7a], [0x79]], "the same member twice"),
        ]
        for (form, last, message) in cases {
            try write(form, pairs(last))
            let (code, facts) = try RDBFiles.verify(path)
            #expect(code == (message == nil ? .sound : .damaged), "\(form): \(facts)")
            let damage = facts["damage"] as? [String: Any]
            #expect(damage?["message"] as? String == message)
            if message == nil {
                #expect(facts["elements"] as? Int == 4201)
                let lines = RDBFiles.run("dump", "--as", "csv", path).text.split(separator: "\n")
                #expect(lines.count == 4203)
            }
        }
    }

    @Test("a key too long to be held is named, and salvage leaves it out")
    func longKey() throws {
        let size = 17 << 20
        let length = (0..<4).map { UInt8(truncatingIfNeeded: size >> (24 - $0 * 8)) }
        let file =
            Array("REDIS0011".utf8) + [0xfe, 0, 0, 1, 0x61, 1, 0x76, 0, 0x80] + length
            + [UInt8](repeating: 0x6c, count: size) + [1, 0x76, 0, 1, 0x62, 1, 0x76, 0xff]
            + [UInt8](repeating: 0, count: 8)
        try RDBFiles.write(file, to: path)
        #expect(try RDBFiles.verify(path).code == .sound)
        let new = folder.file("b.rdb")
        let refused = RDBFiles.run("convert", "-o", new, path)
        #expect(refused.code == .damaged && refused.text.contains("key 'llll"), "\(refused.text)")
        let (code, report) = try RDBFiles.json(["salvage", "-o", new, path])
        #expect(code == .sound && report["keys"] as? Int == 2, "\(report)")
        let lost = try #require(report["lost"] as? [[String: Any]]).first
        #expect(lost?["message"] as? String == "a key of \(size) bytes")
        #expect(lost?["offset"] as? Int == 16)
    }

    @Test("long elements are spelled out whole, in commands and in JSON")
    func longElements() throws {
        let long = [UInt8](repeating: 0x78, count: 3 << 20)
        let length = (0..<4).map { UInt8(truncatingIfNeeded: long.count >> (24 - $0 * 8)) }
        let text = [0x80] + length + long
        // A hash, a list, a sorted set and a string.
        var file =
            Array("REDIS0011".utf8) + [0xfe, 0, 4, 1, 0x68, 2, 1, 0x66] + text + [1, 0x67, 1, 0x31]
        file += [1, 1, 0x6c, 2, 1, 0x61] + text + [5, 1, 0x7a, 1] + text
        file += [0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 1, 0x73] + text
        try RDBFiles.write(file + [0xff] + [UInt8](repeating: 0, count: 8), to: path)
        let commands = RDBFiles.run("dump", "--as", "resp", path)
        let word = "$\(long.count)\r\n" + String(decoding: long, as: UTF8.self) + "\r\n"
        let due =
            "*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n*4\r\n$4\r\nHSET\r\n$1\r\nh\r\n$1\r\nf\r\n\(word)"
            + "*4\r\n$4\r\nHSET\r\n$1\r\nh\r\n$1\r\ng\r\n$1\r\n1\r\n"
            + "*3\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n$1\r\na\r\n*3\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n\(word)"
            + "*4\r\n$4\r\nZADD\r\n$1\r\nz\r\n$1\r\n1\r\n\(word)*3\r\n$3\r\nSET\r\n$1\r\ns\r\n\(word)"
        #expect(commands.code == .sound)
        #expect(commands.text == due)
        let printed = try Subprocess.run([try RDBFiles.program(), "dump", path])
        #expect(printed.output.utf8.count == RDBFiles.run("dump", path).text.utf8.count)
    }

    @Test("sets of integers are checked number by number")
    func integers() throws {
        let count = 4_300_000
        var blob: [UInt8] = [4, 0, 0, 0]
        blob += (0..<4).map { UInt8(truncatingIfNeeded: count >> ($0 * 8)) }
        let numbers = (0..<count).map { Int32($0 - 100).littleEndian }
        // SAFETY: the bytes are copied at once.
        blob += unsafe numbers.withUnsafeBytes { unsafe Array($0) }
        try write(11, blob)
        let (code, facts) = try RDBFiles.verify(path)
        #expect(code == .sound && facts["elements"] as? Int == count, "\(facts)")
        let middle = 8 + 4 * (count / 2)
        blob[middle + 1] ^= 0x40
        try write(11, blob)
        #expect(try RDBFiles.verify(path).code == .damaged)
    }
}

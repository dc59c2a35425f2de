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
    /// A listpack of so many 4000-byte elements.
    private func listpack(_ count: Int) -> [UInt8] {
        let element = [0xef, 0xa0] + [UInt8](repeating: 0x61, count: 4000) + [0x1f, 0xa2]
        let total = 7 + count * element.count
        var bytes = (0..<4).map { UInt8(truncatingIfNeeded: total >> ($0 * 8)) }
        bytes += [UInt8(count & 0xff), UInt8(count >> 8)]
        for _ in 0..<count { bytes += element }
        return bytes + [0xff]
    }

    @Test("their structure is checked in parts")
    func structure() throws {
        let folder = try TemporaryFolder()
        let path = folder.file("a.rdb")
        for wrong in [nil, 5, 100_000, 4_000_000, 20_000_000] {
            var blob = listpack(5400)
            if let wrong { blob[wrong - wrong % 4004 + 6] = wrong == 5 ? 0xf7 : 0x05 }
            let size = (0..<4).map { UInt8(truncatingIfNeeded: blob.count >> (24 - $0 * 8)) }
            let file =
                Array("REDIS0010".utf8) + [0xfe, 0, 18, 1, 0x6c, 1, 2, 0x80] + size + blob
                + [0, 1, 0x6b, 1, 0x76, 0xff] + [UInt8](repeating: 0, count: 8)
            try RDBFiles.write(file, to: path)
            let (code, facts) = try RDBFiles.verify(path)
            #expect(code == (wrong == nil ? .sound : .damaged), "\(wrong ?? 0): \(facts)")
            if wrong == nil { #expect((facts["notes"] as? [String])?.count == 1) }
        }
    }
}

import Foundation
import HoldfastBytes
import HoldfastPlatform
import RDBCheck
import TestSupport
import Testing
import ToolKit

/// RDB files and the program that looks at them, for the tests of rdb-check.
enum RDBFiles {
    /// A file of version 12 with a key of each of these forms, small enough to change each bit of it.
    static let small: [UInt8] = file(
        version: 12,
        [
            // form, then the value: strings plain, as numbers, compressed
            "00 0568656c6c6f", "00 c0fb", "00 c26079feff", "00 c30928016161e01b00016161",
            // a list in nodes, sets, hashes and sorted sets, packed and not
            "12 01 02 14 1400000004008161020101ded402f2409c0004ff",
            "0b 0e 0200000003000000feff01000300", "14 0f 0f00000003000101816102c12c02ff",
            "02 02 0161 0162", "10 12 120000000400816602817602816e020501ff",
            "04 02 01660176 01670177",
            "11 1d 1d0000000600816302842d696e6605816102010181620283322e3504ff",
            "05 02 0162 0000000000000440 0161 000000000000f03f",
            "19 00d8c32cbb030000 1d 1d00000006008161020101f400d8c32cbb0300000981620202010001ff",
            "18 00d8c32cbb030000 03 43e9 0162 c002 00 0163 c003 01 0161 c001",
            // a stream with a group
            "150110000000000000000100000000000000013939000000160002010101010181660200"
                + "010201000100018176020401030100010101817702040100010101dfff02010181670281"
                + "76020601ff0202000101010203010167010181ffffffffffffffff010000000000000001"
                + "0000000000000001f6bd03fda101000001010163f6bd03fda1010000f6bd03fda1010000"
                + "0100000000000000010000000000000001",
            // older forms
            "01 02 0161 c005", "03 03 0161 03312e35 0162 fe 0163 ff",
            "09 18 0203666f6f03006261720568656c6c6f0500776f726c64ff",
            "0d 0f 0f0000000c000000020000f302f6ff", "0e 01 0f 0f0000000c000000020000f302f6ff",
        ])

    /// A file with these values under the keys aa, ab, …; every third has a deadline.
    static func file(version: Int, _ values: [String], sums: Bool = true) -> [UInt8] {
        var bytes =
            Array("REDIS00".utf8) + Array((version < 10 ? "0\(version)" : "\(version)").utf8)
        bytes += [0xfa, 5] + Array("ctime".utf8) + [0xc0, 100, 0xfe, 0]
        for (index, text) in values.enumerated() {
            let value = hex(text)
            if index % 3 == 0 { bytes += [0xfc, 0, 0, 0, 0, 0, 1, 0, 0] }
            bytes += [value[0], 2, 0x61, UInt8(0x61 + index)] + value.dropFirst()
        }
        bytes.append(0xff)
        if version < 5 { return bytes }
        let sum = sums ? bytes.withSlice { CRC64.of($0) } : 0
        return bytes + (0..<8).map { UInt8(truncatingIfNeeded: sum >> ($0 * 8)) }
    }

    static func hex(_ text: String) -> [UInt8] {
        let digits = text.utf8.filter { $0 != 32 }.map { $0 < 58 ? $0 - 48 : $0 - 87 }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }

    static func write(_ bytes: [UInt8], to path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    static func read(_ path: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path)))
    }

    /// Runs the program in this process.
    static func run(_ words: String...) -> (code: ExitCode, text: String) {
        let output = Output.kept()
        let code = RDBCheckSession.run(words, output: output)
        return (code, output.keptText)
    }

    /// What `--json` prints.
    static func json(_ words: [String]) throws -> (code: ExitCode, [String: Any]) {
        let output = Output.kept()
        let code = RDBCheckSession.run(words + ["--json"], output: output)
        let object = try JSONSerialization.jsonObject(with: Data(output.keptText.utf8))
        return (code, try #require(object as? [String: Any]))
    }

    /// What verify says of one file.
    static func verify(_ path: String) throws -> (code: ExitCode, [String: Any]) {
        let (code, all) = try json(["verify", path])
        return (code, try #require((all["files"] as? [[String: Any]])?.first))
    }

    /// The program that was built, beside the test bundle.
    static func program() throws -> String {
        let bundle = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        var place = URL(fileURLWithPath: bundle).deletingLastPathComponent()
        while place.path.count > 1 {
            for path in ["rdb-check", ".build/debug/rdb-check"] {
                let candidate = place.appendingPathComponent(path).path
                let kind = try? FileManager.default.attributesOfItem(atPath: candidate)[.type]
                if kind as? FileAttributeType == .typeRegular { return candidate }
            }
            place.deleteLastPathComponent()
        }
        throw CocoaError(.fileNoSuchFile)
    }
}

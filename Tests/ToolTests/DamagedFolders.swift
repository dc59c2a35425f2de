import Foundation
import HoldfastPlatform
import TestSupport

/// Log folders that real servers wrote, as bytes by file name, and what may happen to them.
enum DamagedFolders {
    /// A folder that a real server wrote: a base, kept and current segments, and an open tail.
    static func written() throws -> [String: [UInt8]] {
        let server = try ServerProcess([
            "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--rdb-compression",
            "no",
        ])
        let connection = try server.connect()
        for index in 0..<20 { _ = try connection.command("SET", "user:\(index)", "value \(index)") }
        _ = try connection.command("BGREWRITEAOF")
        try connection.waitUntilSaved()
        for index in 0..<20 {
            _ = try connection.command("RPUSH", "list", "\(index)")
            _ = try connection.command("MULTI")
            _ = try connection.command("INCR", "n")
            _ = try connection.command("SADD", "set", "\(index)")
            _ = try connection.command("EXEC")
        }
        server.kill()
        var files = try read(server.folder)
        // The open segment is zeroed far ahead; a little of it is enough here.
        for (name, bytes) in files where name.hasSuffix(".incr.aof") {
            let end = (bytes.lastIndex { $0 != 0 } ?? -1) + 1
            files[name] = Array(bytes.prefix(end + 64))
        }
        return files
    }

    static func damage(
        _ files: inout [String: [UInt8]], _ random: inout PRNG
    ) -> String {
        let name = files.keys.sorted().randomElement(using: &random) ?? ""
        let count = files[name]?.count ?? 0
        guard count > 0 else { return "nothing" }
        let position = Int.random(in: 0..<count, using: &random)
        switch Int.random(in: 0..<8, using: &random) {
        case 0, 1:
            files[name]?[position] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            return "a bit of byte \(position) of \(name)"
        case 2:
            files[name] = Array(files[name]?.prefix(position) ?? [])
            return "\(name) cut to \(position)"
        case 3:
            for index in position..<min(count, position + 32) { files[name]?[index] = 0 }
            return "zeros at \(position) of \(name)"
        case 4:
            files[name]? += Array("*1\r\n$4\r\nPING".utf8)
            return "an unfinished command behind \(name)"
        case 5:
            let other = files.keys.sorted().randomElement(using: &random) ?? name
            (files[name], files[other]) = (files[other], files[name])
            return "\(name) and \(other) exchanged"
        case 6:
            for index in position..<min(count, position + 32) {
                files[name]?[index] = .random(in: 0...255, using: &random)
            }
            return "noise at \(position) of \(name)"
        default:
            files[name] = nil
            return "no \(name)"
        }
    }

    static func write(_ files: [String: [UInt8]], to folder: TemporaryFolder) throws {
        let path = folder.file("appendonlydir")
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        for (name, bytes) in files {
            try Data(bytes).write(to: URL(filePath: "\(path)/\(name)"))
        }
    }

    /// A folder that redis-server wrote: a base, an RDB or commands, and a file with a transaction in it.
    static func stock(rdbBase: Bool) throws -> [String: [UInt8]] {
        let server = try StockServer([
            "--appendonly", "yes", "--aof-use-rdb-preamble", rdbBase ? "yes" : "no",
        ])
        let connection = try server.connect()
        for index in 0..<20 { try connection.command("HSET", "user:\(index)", "name", "\(index)") }
        try connection.command("BGREWRITEAOF")
        try connection.waitUntilSaved()
        for index in 0..<20 {
            try connection.command("RPUSH", "list", "\(index)")
            try connection.command("MULTI")
            try connection.command("INCR", "n")
            try connection.command("SADD", "set", "\(index)")
            try connection.command("EXEC")
        }
        server.stop()
        return try read(server.folder)
    }

    /// The files of the log folder in `folder`.
    static func read(_ folder: TemporaryFolder) throws -> [String: [UInt8]] {
        let path = folder.file("appendonlydir")
        var files: [String: [UInt8]] = [:]
        for name in try FileManager.default.contentsOfDirectory(atPath: path)
        where name != "holdfast.reserve" {
            files[name] = Array(try Data(contentsOf: URL(filePath: "\(path)/\(name)")))
        }
        return files
    }

    /// A folder with a copy of the log folder that is in `source`.
    static func copy(_ source: String) throws -> TemporaryFolder {
        let folder = try TemporaryFolder()
        try FileManager.default.copyItem(
            atPath: source + "/appendonlydir", toPath: folder.file("appendonlydir"))
        return folder
    }

    /// The digest of the data that our server finds in a copy of a folder, and that of redis-server.
    static func digests(_ source: String) throws -> (ours: Reply, stock: Reply) {
        let server = try ServerProcess(
            ["--appendonly", "yes", "--save", ""], folder: try copy(source))
        let stock = try StockServer(["--appendonly", "yes"], folder: try copy(source))
        return (
            try server.connect().command("DEBUG", "DIGEST"),
            try stock.connect().command("DEBUG", "DIGEST")
        )
    }
}

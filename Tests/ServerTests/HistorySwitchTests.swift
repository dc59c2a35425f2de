import Foundation
import TestSupport
import Testing

/// A replica's own replicas at the moment where its primary goes on in another history.
@Suite("a new history on the way", .serialized)
struct HistorySwitchTests {
    private static let old = "0123456789abcdef0123456789abcdef01234567"
    private static let new = "fedcba9876543210fedcba9876543210fedcba98"

    private final class Count: @unchecked Sendable {
        private let lock = NSLock()
        private var value = 0
        func next() -> Int {
            lock.withLock {
                value += 1
                return value
            }
        }
    }

    @Test("what is of the new history never reaches a replica that was told the old one")
    func nothingUnderTheOldName() throws {
        let stock = try StockServer()
        try stock.connect().command("SET", "k", "v")
        try #expect(stock.connect().command("SAVE") == .ok)
        let snapshot = Array(
            try Data(contentsOf: URL(fileURLWithPath: stock.folder.file("dump.rdb"))))
        let count = Count()
        let primary = try LoopbackListener { connection in
            let number = count.next()
            _ = connection.read(until: "PING")
            connection.write("+PONG\r\n")
            _ = connection.read(until: "holdfast-lz4")
            connection.write("+OK\r\n+OK\r\n")
            _ = connection.read(until: "PSYNC")
            if number == 1 {
                connection.write("+FULLRESYNC \(Self.old) 0\r\n$\(snapshot.count)\r\n")
                connection.write(snapshot)
            } else {
                // In one piece with what is the first of the new history.
                connection.write(
                    "+CONTINUE \(Self.new)\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\nnew\r\n")
            }
            while connection.read() != nil {}
        }
        let server = try ServerProcess(["--replicaof", "127.0.0.1 \(primary.port)"])
        let connection = try server.connect()
        try connection.waitForLink()
        let replica = try server.connect()
        try #expect(replica.command("REPLCONF", "capa", "eof", "capa", "psync2") == .ok)
        try #expect(
            replica.command("PSYNC", Self.old, "1") == .simple("CONTINUE \(Self.old)"))
        primary.cut()
        try #expect(replica.receiveUntilClosed().isEmpty)
        try connection.waitFor("the stream") {
            try connection.command("GET", "k") == .bulk("new")
        }
        // It comes back with what it was told, and is told the new name first.
        let again = try server.connect()
        try #expect(again.command("REPLCONF", "capa", "eof", "capa", "psync2") == .ok)
        try #expect(again.command("PSYNC", Self.old, "1") == .simple("CONTINUE \(Self.new)"))
        #expect(try again.receiveRaw().count == 29)
    }
}

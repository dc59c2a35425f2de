import HoldfastBytes
import Testing

@testable import Log

@Suite("The buffer of a turn")
struct LogBufferTests {
    private let set = ByteSlice("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n")
    private let multi = "*1\r\n$5\r\nMULTI\r\n"
    private let exec = "*1\r\n$4\r\nEXEC\r\n"

    private func select(_ database: Int) -> String {
        "*2\r\n$6\r\nSELECT\r\n$\(String(database).count)\r\n\(database)\r\n"
    }

    @Test("a record in the selected database is its own bytes and nothing else")
    func plain() {
        var buffer = LogBuffer(start: LSN(100))
        #expect(buffer.isEmpty && buffer.appended == LSN(100))
        buffer.append(database: 0, verbatim: set)
        #expect(buffer.slice == set)
        #expect(buffer.appended == LSN(100 + UInt64(set.count)))
    }

    @Test("a change of database is announced once, and counts")
    func selects() {
        var buffer = LogBuffer(start: .zero, database: 0)
        buffer.append(database: 12, verbatim: set)
        buffer.append(database: 12, verbatim: set)
        buffer.append(database: 0, verbatim: set)
        #expect(buffer.slice.text == select(12) + set.text + set.text + select(0) + set.text)
        #expect(buffer.appended.value == UInt64(buffer.slice.count))
        #expect(buffer.database == 0)
    }

    @Test("a unit is wrapped from its second record on", arguments: 0...4)
    func units(records: Int) {
        var buffer = LogBuffer(start: .zero)
        buffer.append(database: 0, verbatim: set)
        buffer.beginUnit()
        for _ in 0..<records { buffer.append(database: 0, verbatim: set) }
        buffer.endUnit()
        let body = String(repeating: set.text, count: records)
        #expect(buffer.slice.text == set.text + (records > 1 ? multi + body + exec : body))
        #expect(buffer.appended.value == UInt64(buffer.slice.count))
    }

    @Test("a unit's first SELECT stands before MULTI and doesn't count as a record")
    func selectInUnit() {
        var buffer = LogBuffer(start: .zero)
        buffer.beginUnit()
        buffer.append(database: 3, verbatim: set)
        #expect(buffer.slice.text == select(3) + set.text)
        buffer.append(database: 4, verbatim: set)
        buffer.endUnit()
        #expect(buffer.slice.text == select(3) + multi + set.text + select(4) + set.text + exec)
    }

    @Test("a record built from arguments is canonical")
    func arguments() {
        var buffer = LogBuffer(start: .zero)
        buffer.beginRecord(database: 0, argumentCount: 3)
        buffer.append(argument: "PEXPIREAT")
        buffer.append(argument: ByteSlice("key"))
        buffer.append(decimal: -1_234)
        #expect(
            buffer.slice.text == "*3\r\n$9\r\nPEXPIREAT\r\n$3\r\nkey\r\n$5\r\n-1234\r\n")
    }

    @Test("after the hand-over the stream goes on")
    func handOver() {
        var buffer = LogBuffer(start: LSN(7))
        buffer.append(database: 5, verbatim: set)
        let end = buffer.appended
        buffer.taken()
        #expect(buffer.isEmpty && buffer.appended == end && buffer.first == end)
        #expect(buffer.databaseBefore == 5)
        buffer.append(database: 5, verbatim: set)
        #expect(buffer.slice == set)
    }

    @Test("what is kept until it is durable is whole, whatever its size, and memory is used again")
    func kept() {
        var queue = BatchQueue()
        var next = LSN.zero
        var dropped = LSN.zero
        for round in 0..<400 {
            let size = [1, 300, 70_000, 600_000, 2_000_000][round % 17 % 5]
            let bytes = [UInt8](repeating: UInt8(truncatingIfNeeded: round), count: size)
            let kept = bytes.withSlice { queue.keep($0) }
            let batch = Batch(
                block: kept.block, range: kept.range, first: next, databaseBefore: 0,
                appendedAt: 0, milliseconds: Int64(round))
            queue.append(batch)
            next = batch.end
            if round % 9 == 8 {
                dropped = queue[queue.count / 2].end
                _ = queue.drop(upTo: dropped)
            }
            if round % 10 == 0 { queue.trim() }
            for index in stride(from: 0, to: queue.count, by: 3) {
                let batch = queue[index]
                let expected = UInt8(truncatingIfNeeded: batch.milliseconds)
                #expect(batch.records[0] == expected && batch.records[batch.count - 1] == expected)
            }
        }
        #expect(queue.first?.first == dropped)
    }
}

internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import Snapshot
internal import ToolKit

/// `aof-check stats`: what the log is made of.
final class Stats {
    private struct Count {
        var commands = 0
        var bytes: Int64 = 0
    }

    private let tour: Tour
    private let filter: CommandFilter
    private let escape: KeyText
    private var names: [String: Count] = [:]
    private var prefixes: [[UInt8]: Count] = [:]
    private var total = Count()
    private var largest: (bytes: Int64, text: String) = (0, "")
    private var distinct = DistinctKeys()
    private var compression = CompressionSample()
    private var firstMilliseconds: Int64 = 0
    private var lastMilliseconds: Int64 = 0
    private var failure: UsageError?

    /// Beyond these, new names and prefixes count as others: memory is bounded whatever the log holds.
    private static let namesMax = 1000
    private static let prefixesMax = 10_000
    private static let prefixBytesMax = 64
    private static let shown = 20

    init(
        _ arguments: ParsedArguments, _ target: LogTarget, _ console: Console,
        _ disk: any FileSystem, now: Int64
    ) throws(UsageError) {
        filter = try CommandFilter(arguments, now: now)
        escape = KeyText(arguments)
        var tour = Tour(target: target, console: console, disk: disk)
        tour.limits.argumentsMax = 2
        tour.limits.argumentBytesMax = 1024
        self.tour = tour
    }

    func run() -> ExitCode {
        let inspection = tour.run("reading", range: filter.range) { record, milliseconds in
            do throws(UsageError) {
                if try self.filter.accepts(record) { self.count(record, milliseconds) }
            } catch {
                self.failure = error
                throw EnoughRead()
            }
        }
        compression.finish()
        let fileBytes = inspection.tallies.reduce(0) { $0 + $1.endOffset }
        if failure == nil {
            if tour.console.wantsJSON { writeJSON(fileBytes) } else { writeText(fileBytes) }
        }
        return tour.end(inspection, failure: failure)
    }

    private func count(_ record: RecordGlance, _ milliseconds: Int64) {
        compression.note(record.bytes, at: total.bytes)
        total.commands += 1
        total.bytes += record.byteCount
        if firstMilliseconds == 0 { firstMilliseconds = milliseconds }
        lastMilliseconds = milliseconds
        guard let first = record.arguments.first else { return }
        let name = first.kept.prefix(32).text.uppercased()
        let known = names[name] != nil || names.count < Self.namesMax ? name : "(others)"
        names[known, default: Count()].commands += 1
        names[known, default: Count()].bytes += record.byteCount
        if record.byteCount > largest.bytes {
            let key = record.arguments.dropFirst().first.map { escape.text($0.kept, bytesMax: 64) }
            largest = (record.byteCount, "\(name) \(key ?? "") at LSN \(record.lsn)")
        }
        guard record.arguments.count > 1, !Self.hasNoKey(name) else { return }
        let key = record.arguments[1].kept
        note(prefix: key, record.byteCount)
        distinct.note(key, database: record.database, bytes: record.byteCount)
    }

    private static func hasNoKey(_ name: String) -> Bool {
        ["MULTI", "EXEC", "SELECT", "FLUSHALL", "FLUSHDB", "SWAPDB", "FUNCTION", "PUBLISH"]
            .contains(name)
    }

    /// Up to the first `:`, or the whole key.
    private func note(prefix key: ByteSlice, _ bytes: Int64) {
        var end = 0
        while end < min(key.count, Self.prefixBytesMax), key[end] != UInt8(ascii: ":") { end += 1 }
        let hasColon = end < key.count && key[end] == UInt8(ascii: ":")
        let prefix = hasColon ? key.prefix(end + 1).copyToArray() : []
        let known = prefixes[prefix] != nil || prefixes.count < Self.prefixesMax ? prefix : [0]
        prefixes[known, default: Count()].commands += 1
        prefixes[known, default: Count()].bytes += bytes
    }

    // MARK: - Printing

    private var seconds: Double { Double(max(lastMilliseconds - firstMilliseconds, 0)) / 1000 }

    /// What a start was measured to apply, of small commands.
    private static let replayRate: Int64 = 3_000_000

    private var replayMilliseconds: Int64 { Int64(total.commands) * 1000 / Self.replayRate }

    private func sorted<Key>(_ counts: [Key: Count]) -> [(key: Key, value: Count)] {
        counts.sorted { $0.value.bytes > $1.value.bytes }
    }

    private func prefixText(_ prefix: [UInt8]) -> String {
        switch prefix {
        case []: "(no prefix)"
        case [0]: "(others)"
        default: prefix.withSlice { escape.text($0) } + "*"
        }
    }

    private func writeText(_ fileBytes: Int64) {
        let console = tour.console
        console.say(
            "\(Quantities.count(total.commands)) commands, \(Quantities.bytes(total.bytes)) of records "
                + "in \(Quantities.bytes(fileBytes)) of files")
        if seconds > 0 {
            let rate = Quantities.decimal(Double(total.commands) / seconds, digits: 1)
            console.say(
                "\(Moments.text(firstMilliseconds)) to \(Moments.text(lastMilliseconds)), "
                    + "\(rate) commands a second")
        }
        if largest.bytes > 0 {
            console.say("largest: \(Quantities.bytes(largest.bytes)), \(largest.text)")
        }
        console.say(
            "about \(Quantities.count(distinct.keys)) distinct keys; the last record of each takes "
                + "\(Quantities.bytes(distinct.lastBytes)), so a rewrite would free up to "
                + "\(Quantities.bytes(total.bytes - min(total.bytes, distinct.lastBytes)))")
        if let share = compression.share {
            console.say(
                "an LZ4 frame of the records would take about "
                    + "\(Quantities.decimal(share * 100, digits: 0)) % of their bytes")
        }
        console.say(
            "a server applies them in about \(Quantities.duration(milliseconds: replayMilliseconds)), "
                + "at \(Self.replayRate / 1_000_000) million small commands a second")
        var table = TextTable([
            ("COMMAND", .left), ("COUNT", .right), ("BYTES", .right), ("SHARE", .right),
        ])
        for (name, count) in sorted(names).prefix(Self.shown) { table.add(row(name, count)) }
        console.say()
        for line in table.lines(indent: 0) { console.say(line) }
        var second = TextTable([
            ("PREFIX", .left), ("COUNT", .right), ("BYTES", .right), ("SHARE", .right),
        ])
        for (prefix, count) in sorted(prefixes).prefix(Self.shown) {
            second.add(row(prefixText(prefix), count))
        }
        console.say()
        for line in second.lines(indent: 0) { console.say(line) }
    }

    private func row(_ name: String, _ count: Count) -> [String] {
        let share = Double(count.bytes) * 100 / Double(max(total.bytes, 1))
        return [
            name, Quantities.count(count.commands), Quantities.count(count.bytes),
            Quantities.decimal(share, digits: 1) + " %",
        ]
    }

    private func writeJSON(_ fileBytes: Int64) {
        let json = JSONWriter(tour.console.output)
        json.beginObject()
        json.value("commands", total.commands)
        json.value("record_bytes", total.bytes)
        json.value("file_bytes", fileBytes)
        json.value("first_ms", firstMilliseconds)
        json.value("last_ms", lastMilliseconds)
        json.value("largest_bytes", largest.bytes)
        json.value("distinct_keys_estimate", distinct.keys)
        json.value("last_record_bytes_estimate", distinct.lastBytes)
        if let share = compression.share {
            json.value("compressed_share_estimate", share)
        } else {
            json.null("compressed_share_estimate")
        }
        json.value("replay_ms_estimate", replayMilliseconds)
        json.beginArray("by_command")
        for (name, count) in sorted(names) {
            json.beginObject()
            json.value("name", name)
            json.value("count", count.commands)
            json.value("bytes", count.bytes)
            json.endObject()
        }
        json.endArray()
        json.beginArray("by_prefix")
        for (prefix, count) in sorted(prefixes) {
            json.beginObject()
            prefix.withSlice { json.value("prefix", bytes: $0) }
            json.value("count", count.commands)
            json.value("bytes", count.bytes)
            json.endObject()
        }
        json.endArray()
        json.endObject()
        json.endDocument()
    }
}

/// How well records compress, from a block of 64 KiB in each MiB of them.
private struct CompressionSample: ~Copyable {
    private var block = ByteBuffer()
    private var next: Int64 = 0
    private var plainBytes = 0
    private var frameBytes = 0

    private static let blockBytes = 64 << 10
    private static let distanceBytes: Int64 = 1 << 20

    /// - Parameter offset: how many bytes of records came before.
    mutating func note(_ bytes: ByteSlice, at offset: Int64) {
        guard offset >= next else { return }
        block.append(bytes.prefix(Self.blockBytes - block.count))
        guard block.count == Self.blockBytes else { return }
        next = offset + Self.distanceBytes
        take()
    }

    private mutating func take() {
        plainBytes += block.count
        frameBytes += LZ4Frame.byteCount(of: block.slice)
        block.removeAll()
    }

    /// Takes what little there is of a small log.
    mutating func finish() { if plainBytes == 0, !block.isEmpty { take() } }

    /// The frame's length to that of what is in it; nil if nothing was seen.
    var share: Double? { plainBytes == 0 ? nil : Double(frameBytes) / Double(plainBytes) }
}

/// An estimate of how many keys there are, and how many bytes their last records take, from a sample of the
/// keys whose hash ends in enough zeros.
private struct DistinctKeys {
    private var sample: [UInt64: Int64] = [:]
    private var mask: UInt64 = 0
    private let hasher = ByteHash(seed: 0x5eed)

    private static let sampleMax = 100_000

    mutating func note(_ key: ByteSlice, database: Int, bytes: Int64) {
        let hash = UInt64(truncatingIfNeeded: hasher.hash(key)) &+ UInt64(database) &* 0x9e37_79b9
        guard hash & mask == 0 else { return }
        sample[hash] = bytes
        guard sample.count > Self.sampleMax else { return }
        guard mask < 1 << 30 else { return sample.removeAll() }
        mask = mask << 1 | 1
        let mask = self.mask
        sample = sample.filter { $0.key & mask == 0 }
    }

    var keys: Int { sample.count * Int(mask + 1) }
    var lastBytes: Int64 {
        let sum = sample.values.reduce(0, +)
        let (bytes, overflowed) = sum.multipliedReportingOverflow(by: Int64(mask + 1))
        return overflowed ? .max : bytes
    }
}

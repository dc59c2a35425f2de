import HoldfastBytes
import HoldfastPlatform

@testable import Store

/// A table with the clock and hash it needs, driven by arrays of bytes; an entry's value is its number.
final class TableRig {
    var table = Table()
    var epochs = EpochClock()
    let hasher: ByteHash

    init(seed: UInt64) { hasher = ByteHash(seed: seed) }

    func hash(_ key: [UInt8]) -> UInt64 { key.withSlice { hasher.hash($0) } }

    func value(_ key: [UInt8]) -> Int? {
        key.withSlice { bytes in
            table.find(hasher.hash(bytes), bytes).map { Self.number($0) }
        }
    }

    static func number(_ entry: Entry) -> Int { Int(entry.bytes.load64(at: 0)) }

    private func make(_ key: ByteSlice, _ value: Int) -> Entry {
        let entry = Entry.make(
            key: key, kind: Encoding.embstr.rawValue << 4, deadline: nil, word: nil,
            inlineCount: 8, epoch: epochs.current)
        let bytes = (0..<8).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) }
        bytes.withSlice { entry.fillInline($0) }
        return entry
    }

    func set(_ key: [UInt8], _ value: Int) {
        key.withSlice { bytes in
            let hash = hasher.hash(bytes)
            let entry = make(bytes, value)
            if let old = table.find(hash, bytes) {
                table.replace(hash, old, with: entry, &epochs)
                unsafe epochs.release(old.raw, bornIn: old.epoch)
            } else {
                table.insert(hash, entry, &epochs, hasher)
            }
        }
    }

    @discardableResult
    func remove(_ key: [UInt8]) -> Bool {
        key.withSlice { bytes in
            guard let old = table.remove(hasher.hash(bytes), bytes, &epochs) else { return false }
            unsafe epochs.release(old.raw, bornIn: old.epoch)
            return true
        }
    }

    var content: [[UInt8]: Int] {
        var result: [[UInt8]: Int] = [:]
        table.forEach { entry in result[entry.key.copyToArray()] = Self.number(entry) }
        return result
    }

    func checkInvariants() { table.checkInvariants(hasher) }

    deinit {
        // The table itself frees only its directory.
        var next: Int? = 0
        var values = ReleaseStack()
        while let page = next { next = table.freePage(at: page, values: &values).next }
        values.releaseSome(.max, &epochs)
    }
}

/// The first `count` of the numbered keys that `accept` takes.
func keys(_ count: Int, where accept: ([UInt8]) -> Bool) -> [[UInt8]] {
    var found: [[UInt8]] = []
    var number = 0
    while found.count < count {
        let key = Array("key:\(number)".utf8)
        if accept(key) { found.append(key) }
        number += 1
    }
    return found
}

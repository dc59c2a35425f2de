import HoldfastBytes
import HoldfastPlatform

@testable import Store

/// A member table with the clock and hash it needs, driven by arrays of bytes.
final class MemberTableRig {
    struct Field: Equatable {
        var value: [UInt8]
        var deadline: Int64?
    }

    /// A table as it was when it was frozen, and what it held then.
    struct Snapshot {
        var epoch: UInt32
        var table: MemberTable
        var content: [[UInt8]: Field]
    }

    var epochs = EpochClock()
    let hasher: ByteHash
    var table: MemberTable
    var snapshots: [Snapshot] = []

    init(seed: UInt64, hasValues: Bool) {
        hasher = ByteHash(seed: seed)
        table = MemberTable(hasValues: hasValues, &epochs)
    }

    func hash(_ member: [UInt8]) -> UInt64 { member.withSlice { hasher.hash($0) } }

    static func field(_ record: MemberRecord) -> Field {
        Field(value: record.value.copyToArray(), deadline: record.deadline)
    }

    func field(_ member: [UInt8]) -> Field? {
        member.withSlice { bytes in
            table.find(hasher.hash(bytes), bytes).map { Self.field($0) }
        }
    }

    @discardableResult
    func insert(_ member: [UInt8]) -> Bool {
        member.withSlice { table.insert(hasher.hash($0), $0, &epochs, hasher) }
    }

    @discardableResult
    func set(_ member: [UInt8], _ value: [UInt8], deadline: Int64? = nil) -> Bool {
        member.withSlice { member in
            value.withSlice {
                table.set(hasher.hash(member), member, to: $0, deadline: deadline, &epochs, hasher)
            }
        }
    }

    @discardableResult
    func setDeadline(_ member: [UInt8], _ deadline: Int64?) -> Bool {
        member.withSlice { table.setDeadline(hasher.hash($0), $0, to: deadline, &epochs, hasher) }
    }

    @discardableResult
    func remove(_ member: [UInt8]) -> Bool {
        member.withSlice { table.remove(hasher.hash($0), $0, &epochs) }
    }

    static func content(_ table: MemberTable) -> [[UInt8]: Field] {
        var result: [[UInt8]: Field] = [:]
        var count = 0
        table.forEach { record in
            result[record.member.copyToArray()] = field(record)
            count += 1
        }
        precondition(count == result.count, "a member is there twice")
        return result
    }

    var content: [[UInt8]: Field] { Self.content(table) }

    func checkInvariants() { table.checkInvariants(hasher) }

    func freeze() {
        let frozen = table
        snapshots.append(Snapshot(epoch: epochs.freeze(), table: frozen, content: content))
    }

    /// Whether the snapshot still shows what it showed; it is over then.
    func thaw(_ index: Int) -> Bool {
        let snapshot = snapshots.remove(at: index)
        snapshot.table.checkInvariants(hasher)
        let isSame = Self.content(snapshot.table) == snapshot.content
        epochs.thaw(snapshot.epoch)
        epochs.freeSome(Int.max)
        return isSame
    }

    func release(_ table: MemberTable) {
        let hasValues = table.hasValues
        var pages: [UnsafeMutableRawPointer] = unsafe []
        unsafe table.releaseRoot(&epochs) { unsafe pages.append($0) }
        for index in unsafe pages.indices {
            unsafe MemberTable.releasePage(pages[index], hasValues: hasValues, &epochs)
        }
    }

    deinit { release(table) }
}

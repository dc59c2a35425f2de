import HoldfastBytes
import HoldfastPlatform

@testable import Store

/// What a keyspace should hold, said in dictionaries.
struct KeyspaceModel: Equatable {
    struct Value: Equatable {
        var bytes: [UInt8]
        var encoding: Encoding
        var deadline: Int64?
    }

    var databases: [[[UInt8]: Value]]

    init(databases count: Int) { databases = Array(repeating: [:], count: count) }

    init(_ keyspace: borrowing Keyspace) {
        self.init(databases: keyspace.databaseCount)
        for database in 0..<keyspace.databaseCount {
            var content: [[UInt8]: Value] = [:]
            keyspace.forEach(database) { content[$0.key.copyToArray()] = Value($0) }
            databases[database] = content
        }
    }

    init(_ view: borrowing FrozenView, databases count: Int) {
        self.init(databases: count)
        for database in view.databases {
            var content: [[UInt8]: Value] = [:]
            view.forEach(database) { content[$0.key.copyToArray()] = Value($0) }
            databases[database] = content
        }
    }

    static func encoding(of bytes: [UInt8]) -> Encoding {
        if bytes.withSlice({ DecimalText.parse($0) }) != nil { return .int }
        return bytes.count <= 44 ? .embstr : .raw
    }
}

extension KeyspaceModel.Value {
    init(_ entry: Entry) {
        let text = entry.integer.map { Array("\($0)".utf8) } ?? entry.bytes.copyToArray()
        self.init(bytes: text, encoding: entry.encoding, deadline: entry.deadline)
    }
}

extension Keyspace {
    func value(_ key: [UInt8], _ database: Int) -> KeyspaceModel.Value? {
        key.withSlice { find(hashed($0), database).map { .init($0) } }
    }
}

/// Draws random changes and makes them on a keyspace and on the model alike.
struct KeyspaceDriver {
    var random: PRNG
    var model: KeyspaceModel
    /// Few keys make many overwrites.
    var universe = 300

    init(seed: UInt64, databases: Int) {
        random = PRNG(seed: seed)
        model = KeyspaceModel(databases: databases)
    }

    mutating func key() -> [UInt8] {
        // Some keys are long enough for the long form.
        let number = random.below(universe)
        if number % 97 == 13 { return [UInt8](repeating: 120, count: 65_536 + number) }
        return Array("key:\(number)".utf8)
    }

    mutating func bytes() -> [UInt8] {
        switch random.below(6) {
        case 0: return Array("\(Int64(truncatingIfNeeded: random.next()))".utf8)
        case 1: return Array("\(random.below(20_000))".utf8)
        case 2: return []
        case 3: return [UInt8](repeating: UInt8(random.below(256)), count: random.below(60))
        case 4: return [UInt8](repeating: UInt8(random.below(256)), count: 1000 + random.below(60))
        default: return [UInt8](repeating: UInt8(random.below(256)), count: random.below(5000))
        }
    }

    private mutating func change() -> (DeadlineChange, (Int64?) -> Int64?) {
        switch random.below(3) {
        case 0: return (.clear, { _ in nil })
        case 1: return (.keep, { $0 })
        default:
            let deadline = Int64(random.below(1000))
            return (.set(deadline), { _ in deadline })
        }
    }

    mutating func step(_ keyspace: inout Keyspace) {
        let database = random.below(model.databases.count)
        let key = key()
        let old = model.databases[database][key]
        switch random.below(16) {
        case 0...4:
            let bytes = bytes()
            let (change, resolve) = change()
            key.withSlice { name in
                bytes.withSlice {
                    keyspace.setString(keyspace.hashed(name), database, to: $0, deadline: change)
                }
            }
            model.databases[database][key] = .init(
                bytes: bytes, encoding: KeyspaceModel.encoding(of: bytes),
                deadline: resolve(old?.deadline))
        case 5:
            let number = Int64(truncatingIfNeeded: random.next()) >> Int64(random.below(60))
            let (change, resolve) = change()
            key.withSlice {
                keyspace.setInteger(keyspace.hashed($0), database, to: number, deadline: change)
            }
            model.databases[database][key] = .init(
                bytes: Array("\(number)".utf8), encoding: .int, deadline: resolve(old?.deadline))
        case 6:
            guard let old else { return }
            let bytes = bytes()
            key.withSlice { name in
                let name = keyspace.hashed(name)
                bytes.withSlice {
                    guard let entry = keyspace.find(name, database) else { return }
                    _ = keyspace.appendString(name, database, over: entry, $0)
                }
            }
            model.databases[database][key] = .init(
                bytes: old.bytes + bytes, encoding: .raw, deadline: old.deadline)
        case 7:
            let count = random.below(3000)
            key.withSlice {
                keyspace.buildString(keyspace.hashed($0), database, count: count) { editor in
                    for index in 0..<min(count, 5) { editor[index] = UInt8(index) }
                }
            }
            let head = (0..<min(count, 5)).map { UInt8($0) }
            model.databases[database][key] = .init(
                bytes: head + [UInt8](repeating: 0, count: count - head.count), encoding: .raw)
        case 8, 9:
            let count = random.below(3000)
            var expected = old?.bytes ?? []
            expected += [UInt8](repeating: 0, count: max(count - expected.count, 0))
            let at = expected.isEmpty ? nil : random.below(expected.count)
            if let at { expected[at] = 0xA5 }
            key.withSlice {
                _ = keyspace.editString(keyspace.hashed($0), database, growTo: count) { editor in
                    if let at { editor[at] = 0xA5 }
                }
            }
            model.databases[database][key] = .init(
                bytes: expected, encoding: .raw, deadline: old?.deadline)
        case 10:
            key.withSlice { _ = keyspace.remove(keyspace.hashed($0), database) }
            model.databases[database][key] = nil
        case 11, 12:
            guard old != nil else { return }
            let deadline: Int64? = random.oneIn(3) ? nil : Int64(random.below(1000))
            key.withSlice { keyspace.setDeadline(keyspace.hashed($0), database, to: deadline) }
            model.databases[database][key]?.deadline = deadline
        case 13, 14:
            let targetDatabase = random.below(model.databases.count)
            let target = random.oneIn(3) ? key : self.key()
            guard let old, target != key || targetDatabase != database else { return }
            let copies = random.oneIn(2)
            key.withSlice { key in
                target.withSlice { target in
                    let (from, to) = (keyspace.hashed(key), keyspace.hashed(target))
                    if copies {
                        keyspace.copy(from, database, to: to, targetDatabase)
                    } else {
                        keyspace.move(from, database, to: to, targetDatabase)
                    }
                }
            }
            if !copies { model.databases[database][key] = nil }
            model.databases[targetDatabase][target] = old
        default:
            let other = random.below(model.databases.count)
            if random.oneIn(20) {
                keyspace.removeAll(database)
                model.databases[database] = [:]
            } else if random.oneIn(4) {
                keyspace.swapDatabases(database, other, now: 0)
                model.databases.swapAt(database, other)
            }
        }
    }
}

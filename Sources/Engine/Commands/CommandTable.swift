public import HoldfastBytes

/// All commands of the server and the way from a name to its row.
///
/// Built once at start from the families' rows; after that only read, so it may be shared. A command is
/// known by its index, which stays the same for the table's life. Rows that are still to come are in
/// the table but are not found by name.
///
/// Names are found in an open-addressed table over the folded name, packed into three words: up to 23
/// bytes and their count. Longer names exist only through `rename` and stand in a list of their own.
public struct CommandTable: Sendable {
    private var specs: [CommandSpec] = []
    private var facts: [CommandFacts] = []
    private var slots: [Slot]
    private var longNames: [(name: [UInt8], index: Int)] = []
    private var isFound: [Bool] = []

    /// What the dispatcher asks of every command, on one line of memory.
    public struct CommandFacts: Sendable {
        public let flags: CommandFlags
        /// As `CommandSpec.arity`.
        public let arity: Int16
        /// As `LegacyKeyRange`; 0 if there is none, if it is no real key, or if the arity doesn't promise
        /// that it is there.
        public let firstKey: Int16
        public let lastKey: Int16
        public let keyStep: Int16
        /// A second word, if there is one, is looked up with `lookup(_:in:)`.
        public internal(set) var hasSubcommands: Bool
        /// The second argument is a member of a set or a field of a hash, or may be taken for one.
        public let namesMember: Bool
        /// Runs on the keyspace alone and has no subcommands.
        public let isData: Bool
        /// The container's index; -1 for a command of its own.
        public let container: Int16

        @inline(__always)
        public func accepts(_ wordCount: Int) -> Bool {
            arity >= 0 ? wordCount == Int(arity) : wordCount >= -Int(arity)
        }
    }

    private struct Slot: Sendable {
        var name = PackedName()
        /// The container's index, or -1.
        var container: Int32 = -1
        /// The command's index; -1: never used; -2: removed.
        var index: Int32 = -1
    }

    private static let slotCount = 2048

    /// - Parameter families: rows, containers with their subcommands inside. A row with a `|` in its name
    ///   may also stand by itself, in any family; it joins its container.
    ///
    /// Two rows with one name, or a subcommand without a container, are mistakes in our own tables and
    /// end the process.
    public init(families: [[CommandSpec]]) {
        slots = [Slot](repeating: Slot(), count: Self.slotCount)
        var containers: [Substring: Int] = [:]
        var loose: [(CommandSpec, container: Substring)] = []
        for row in families.joined() {
            if let container = row.containerName {
                loose.append((row, container))
            } else {
                let index = add(row, container: -1)
                containers[row.name[...]] = index
                for subcommand in row.subcommands { _ = add(subcommand, container: index) }
            }
        }
        for (row, name) in loose {
            guard let container = containers[name] else {
                preconditionFailure("no container for \(row.name)")
            }
            facts[container].hasSubcommands = true
            _ = add(row, container: container)
        }
        precondition(specs.count < Self.slotCount / 2, "the slots are too few")
    }

    // MARK: By index

    /// Commands and subcommands, also those to come.
    public var count: Int { specs.count }

    public func spec(at index: Int) -> CommandSpec { specs[index] }

    @inline(__always)
    public func facts(at index: Int) -> CommandFacts { facts[index] }

    /// Whether clients can call the command by some name: it is neither to come nor removed.
    public func isFound(at index: Int) -> Bool { isFound[index] }

    /// The commands that clients can call, without subcommands.
    public var commands: [Int] { specs.indices.filter { facts[$0].container < 0 && isFound[$0] } }

    /// The subcommands of a container that clients can call.
    public func subcommands(of container: Int) -> [Int] {
        specs.indices.filter { facts[$0].container == container && isFound[$0] }
    }

    // MARK: By name

    /// The command that `name` stands for, in any case; allocates nothing.
    public func lookup(_ name: ByteSlice) -> Int? { find(name, container: -1) }

    /// The subcommand `name` of the container with index `container`.
    public func lookup(_ name: ByteSlice, in container: Int) -> Int? {
        find(name, container: Int32(truncatingIfNeeded: container))
    }

    /// The command or, written as `config|get`, subcommand.
    public func lookup(fullName name: ByteSlice) -> Int? {
        guard let bar = (0..<name.count).first(where: { name[$0] == UInt8(ascii: "|") }) else {
            return lookup(name)
        }
        guard let container = lookup(name.prefix(bar)) else { return nil }
        return lookup(name.dropFirst(bar + 1), in: container)
    }

    // MARK: rename-command

    /// Why a `rename-command` can't be obeyed.
    public enum RenameError: Error, Equatable {
        case noSuchCommand
        case nameTaken
    }

    /// Makes the command `old` answer to `new` only, or to nothing if `new` is empty. Its row, and with it
    /// what replies and messages call it, stays. Only before the server starts to serve.
    public mutating func rename(_ old: ByteSlice, to new: ByteSlice) throws(RenameError) {
        guard let index = lookup(old) else {
            // Hiding what doesn't exist yet is no mistake of the one who wrote the configuration.
            let isToCome = specs.contains {
                $0.handler.isToCome && $0.containerName == nil
                    && $0.name.withSlice { PackedName(folding: $0) == PackedName(folding: old) }
            }
            if isToCome { return }
            throw .noSuchCommand
        }
        if let other = lookup(new), other != index { throw .nameTaken }
        remove(old)
        isFound[index] = !new.isEmpty
        if !new.isEmpty { insert(new, container: -1, index: index) }
    }

    // MARK: Inside

    private mutating func add(_ row: CommandSpec, container: Int) -> Int {
        let index = specs.count
        specs.append(row)
        let isCertain = row.hasKeys && row.legacyKeys.first < abs(row.arity)
        let keys = isCertain ? row.legacyKeys : LegacyKeyRange()
        facts.append(
            CommandFacts(
                flags: row.flags, arity: Int16(row.arity), firstKey: Int16(keys.first),
                lastKey: Int16(keys.last), keyStep: Int16(keys.step),
                hasSubcommands: !row.subcommands.isEmpty,
                namesMember: (row.group == .set || row.group == .hash) && keys.first == 1
                    && keys.last == 1 && abs(row.arity) >= 3,
                isData: row.handler.isData,
                container: Int16(container)))
        isFound.append(!row.handler.isToCome)
        if !row.handler.isToCome {
            Array(row.shortName.utf8).withSlice { name in
                precondition(
                    find(name, container: Int32(container)) == nil, "two rows for \(row.name)")
                insert(name, container: container, index: index)
            }
        }
        return index
    }

    @inline(__always)
    private func find(_ name: ByteSlice, container: Int32) -> Int? {
        guard let packed = PackedName(folding: name) else { return findLong(name) }
        var position = packed.hash(container) & (Self.slotCount - 1)
        while true {
            let slot = slots[position]
            if slot.index == -1 { return nil }
            if slot.name == packed && slot.container == container && slot.index >= 0 {
                return Int(slot.index)
            }
            position = (position + 1) & (Self.slotCount - 1)
        }
    }

    private func findLong(_ name: ByteSlice) -> Int? {
        if longNames.isEmpty { return nil }
        let folded = Self.folded(name)
        return longNames.first { $0.name == folded }?.index
    }

    private mutating func insert(_ name: ByteSlice, container: Int, index: Int) {
        guard let packed = PackedName(folding: name) else {
            longNames.append((Self.folded(name), index))
            return
        }
        let container = Int32(container)
        var position = packed.hash(container) & (Self.slotCount - 1)
        while slots[position].index >= 0 { position = (position + 1) & (Self.slotCount - 1) }
        slots[position] = Slot(name: packed, container: container, index: Int32(index))
    }

    /// Takes a command's name out; the slot stays marked so that names behind it are still found.
    private mutating func remove(_ name: ByteSlice) {
        guard let packed = PackedName(folding: name) else {
            let folded = Self.folded(name)
            longNames.removeAll { $0.name == folded }
            return
        }
        let found = slots.firstIndex {
            $0.name == packed && $0.container == -1 && $0.index >= 0
        }
        if let found { slots[found].index = -2 }
    }

    private static func folded(_ name: ByteSlice) -> [UInt8] {
        name.copyToArray().map { $0 >= 65 && $0 <= 90 ? $0 | 0x20 : $0 }
    }
}

/// A name of up to 23 bytes in lower case, with its length in the last byte.
private struct PackedName: Equatable, Sendable {
    var low: UInt64 = 0
    var middle: UInt64 = 0
    var high: UInt64 = 0

    init() {}

    /// Nil if the name is too long.
    @inline(__always)
    init?(folding name: ByteSlice) {
        let count = name.count
        if count > 23 { return nil }
        if count <= 8 {
            low = Self.fold(Self.word(name, 0))
        } else {
            low = Self.fold(name.load64(at: 0))
            if count <= 16 {
                middle = Self.fold(Self.word(name, 8))
            } else {
                middle = Self.fold(name.load64(at: 8))
                high = Self.fold(Self.word(name, 16))
            }
        }
        high |= UInt64(truncatingIfNeeded: count) << 56
    }

    /// The up to eight bytes from `offset` to the end, little endian.
    @inline(__always)
    private static func word(_ name: ByteSlice, _ offset: Int) -> UInt64 {
        let size = name.count - offset
        if size == 8 { return name.load64(at: offset) }
        var result: UInt64 = 0
        for index in 0..<size {
            result |= UInt64(name[offset + index]) << UInt64(truncatingIfNeeded: index &* 8)
        }
        return result
    }

    /// ASCII capitals of all eight bytes to lower case, other bytes untouched.
    @inline(__always)
    private static func fold(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let low = word & (ones &* 0x7f)
        // The top bit of each byte tells: at least `A`, above `Z`.
        let atLeastA = low &+ ones &* (0x80 - 0x41)
        let aboveZ = low &+ ones &* (0x7f - 0x5a)
        let capital = (atLeastA ^ aboveZ) & ~word & (ones &* 0x80)
        return word | capital >> 2
    }

    @inline(__always)
    func hash(_ container: Int32) -> Int {
        var mixed = low ^ middle &* 0x9e37_79b9_7f4a_7c15 ^ high &* 0xc2b2_ae3d_27d4_eb4f
        mixed ^= UInt64(truncatingIfNeeded: container) &* 0x1656_67b1_9e37_79f9
        mixed = mixed &* 0x9fb2_1c65_1e98_df25
        return Int(truncatingIfNeeded: mixed >> 40)
    }
}

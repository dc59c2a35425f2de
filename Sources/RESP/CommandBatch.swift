internal import Glibc
public import HoldfastBytes

/// The commands that one pass over a session's input found, and the slices of all their arguments.
///
/// One batch serves the whole program: it is filled, executed and emptied again, so that parsing
/// allocates nothing once its tables have grown. Slices point into the input that was decoded and into
/// the batch's own scratch memory (inline commands with quotes); both stay put until `removeAll`.
@safe
public struct CommandBatch: ~Copyable {
    /// The most commands a batch takes. Enough for lookups to overlap in the memory system, few enough
    /// for the tables to stay in the first-level cache.
    public static let commandsMax = 32

    /// One command: where its arguments are, and what the dispatcher found out ahead of running it.
    public struct Command {
        public var firstArgument: Int
        public var argumentCount: Int
        /// Where the command ends in the input that was decoded.
        public var end: Int
        /// The request as it came, when it is canonical RESP that can go into the log as it stands.
        public var canonical: ByteSlice
        /// Filled by the dispatcher: the command's index in its table, or -1.
        public var row: Int32
        /// Filled by the dispatcher: the first key's hash, if the command has one.
        public var keyHash: UInt64
    }

    @usableFromInline var slices: UnsafeMutablePointer<ByteSlice>
    @usableFromInline var sliceRoom: Int
    @usableFromInline var sliceCount: Int
    @usableFromInline let commandTable: UnsafeMutablePointer<Command>
    public private(set) var count: Int
    private var scratch: [UnsafeMutableRawPointer]

    public init() {
        sliceRoom = 256
        unsafe slices = .allocate(capacity: sliceRoom)
        sliceCount = 0
        unsafe commandTable = .allocate(capacity: Self.commandsMax)
        count = 0
        unsafe scratch = []
    }

    deinit {
        for index in unsafe scratch.indices { unsafe free(scratch[index]) }
        unsafe slices.deallocate()
        unsafe commandTable.deallocate()
    }

    public var isFull: Bool { count == Self.commandsMax }

    @inlinable
    public subscript(_ index: Int) -> Command {
        get {
            assert(index >= 0 && index < count)
            // SAFETY: commands below `count` were initialised by `finishCommand`.
            return unsafe commandTable[index]
        }
        set {
            assert(index >= 0 && index < count)
            unsafe commandTable[index] = newValue
        }
    }

    /// The dispatcher's notes on command `index`.
    @inlinable
    public mutating func note(_ index: Int, row: Int32, keyHash: UInt64) {
        assert(index >= 0 && index < count)
        // SAFETY: as in the subscript.
        unsafe commandTable[index].row = row
        unsafe commandTable[index].keyHash = keyHash
    }

    /// Argument `argument` of all arguments in the batch.
    @inlinable
    public func slice(at argument: Int) -> ByteSlice {
        precondition(argument >= 0 && argument < sliceCount, "argument out of bounds")
        // SAFETY: in bounds by the check.
        return unsafe slices[argument]
    }

    /// The arguments of command `index`; valid until the batch is emptied or grows.
    @inlinable
    public func arguments(of index: Int) -> Arguments {
        let command = self[index]
        // SAFETY: the range was initialised by `append`.
        return unsafe Arguments(
            base: UnsafePointer(slices) + command.firstArgument, count: command.argumentCount)
    }

    /// Empties the batch; every slice and `Arguments` taken from it is dead.
    public mutating func removeAll() {
        count = 0
        sliceCount = 0
        if unsafe !scratch.isEmpty {
            for index in unsafe scratch.indices { unsafe free(scratch[index]) }
            unsafe scratch.removeAll()
        }
    }

    @inline(__always)
    mutating func append(_ slice: ByteSlice) {
        if sliceCount == sliceRoom { growSlices() }
        // SAFETY: room was ensured.
        unsafe (slices + sliceCount).initialize(to: slice)
        sliceCount += 1
    }

    private mutating func growSlices() {
        let room = sliceRoom * 2
        let grown = UnsafeMutablePointer<ByteSlice>.allocate(capacity: room)
        unsafe grown.update(from: slices, count: sliceCount)
        unsafe slices.deallocate()
        unsafe slices = grown
        sliceRoom = room
    }

    @inline(__always)
    mutating func finishCommand(firstArgument: Int, canonical: ByteSlice) {
        // SAFETY: decoders stop at `commandsMax`.
        precondition(count < Self.commandsMax)
        unsafe (commandTable + count).initialize(
            to: Command(
                firstArgument: firstArgument, argumentCount: sliceCount - firstArgument,
                end: 0, canonical: canonical, row: -1, keyHash: 0))
        count += 1
    }

    @inline(__always)
    mutating func setEnd(_ end: Int) {
        precondition(count > 0)
        unsafe commandTable[count - 1].end = end
    }

    /// Drops the arguments of a command that turned out to be unfinished.
    mutating func dropArguments(from first: Int) { sliceCount = first }

    /// Copies `words` into memory of the batch and appends them as arguments.
    mutating func append(copying words: [[UInt8]]) {
        let total = words.reduce(0) { $0 + $1.count }
        guard let block = unsafe malloc(max(total, 1)) else { fatalError("out of memory") }
        unsafe scratch.append(block)
        var offset = 0
        for word in words {
            // SAFETY: the block is as long as all words together.
            word.withSlice { unsafe _ = memcpy(block + offset, $0.pointer, $0.count) }
            unsafe append(ByteSlice(base: block + offset, count: word.count))
            offset += word.count
        }
    }

    /// One command made of `words`, as if it had been received; for the log's replay and for tests.
    public mutating func appendCommand(_ words: [[UInt8]]) {
        let first = sliceCount
        append(copying: words)
        finishCommand(firstArgument: first, canonical: ByteSlice())
    }
}

/// The words of one command, name first: slices that live as long as the batch they came from.
@safe
public struct Arguments {
    @usableFromInline let base: UnsafePointer<ByteSlice>
    public let count: Int

    @inlinable
    @unsafe public init(base: UnsafePointer<ByteSlice>, count: Int) {
        unsafe self.base = base
        self.count = count
    }

    /// No words.
    public init() {
        // SAFETY: never dereferenced, because the count is zero.
        unsafe base = UnsafePointer(bitPattern: MemoryLayout<ByteSlice>.alignment).unsafelyUnwrapped
        count = 0
    }

    @inlinable
    public subscript(_ index: Int) -> ByteSlice {
        precondition(index >= 0 && index < count, "argument out of bounds")
        // SAFETY: in bounds by the check, alive by the type's rule.
        return unsafe base[index]
    }

    /// The arguments from `first` on.
    public func dropFirst(_ first: Int) -> Arguments {
        precondition(first >= 0 && first <= count, "argument out of bounds")
        return unsafe Arguments(base: base + first, count: count - first)
    }
}

internal import CLinux
internal import Glibc
public import HoldfastBytes

/// What kind of value an entry holds; the raw values are Redis's type numbers.
public enum ValueType: UInt8, Sendable {
    case string = 0
    case list = 1
    case set = 2
    case sortedSet = 3
    case hash = 4
    case stream = 6

    /// The name that TYPE and SCAN … TYPE use.
    public var name: StaticString {
        switch self {
        case .string: "string"
        case .list: "list"
        case .set: "set"
        case .sortedSet: "zset"
        case .hash: "hash"
        case .stream: "stream"
        }
    }
}

/// How a value is represented, by the names of OBJECT ENCODING.
public enum Encoding: UInt8, Sendable {
    case int = 0
    case embstr = 1
    case raw = 2
    case hashtable = 3
    case quicklist = 4
    case listpack = 5
    case intset = 6
    case skiplist = 7
    case stream = 8

    public var name: StaticString {
        switch self {
        case .int: "int"
        case .embstr: "embstr"
        case .raw: "raw"
        case .hashtable: "hashtable"
        case .quicklist: "quicklist"
        case .listpack: "listpack"
        case .intset: "intset"
        case .skiplist: "skiplist"
        case .stream: "stream"
        }
    }

    /// The value is one run of bytes, inside the entry or in a block of its own.
    var isPacked: Bool { self == .listpack || self == .intset }
}

/// One key with its value: a handle on raw memory that belongs to the keyspace.
///
/// A handle holds nothing alive: it is valid until the next change of its key (and of nothing else).
/// One allocation holds everything that most keys need:
///
///     0   type (low 4 bits) and encoding (high 4 bits)
///     1   flags: 1 deadline, 2 word, 4 long key
///     2   key length, if not long                   u16
///     4   access: LRU minutes or LFU counter        u32
///     8   birth epoch                               u32
///     12  length of the inline value                u32
///     16  deadline in Unix ms, if flagged           i64
///     …   word, if flagged: an integer value, or the address of what holds the value (`Blob` of a string,
///         `PackedBlock` of a listpack or intset, else the root of a structure)   u64
///     …   key length, if long                       u64
///     …   key bytes, then the bytes of an inline value
///
/// A 16-byte key with a 32-byte value takes 64 bytes, an allocation class without waste.
@safe
public struct Entry {
    let raw: UnsafeMutableRawPointer

    static let headerBytes = 16
    static let hasDeadlineFlag: UInt8 = 1
    static let hasWordFlag: UInt8 = 2
    static let longKeyFlag: UInt8 = 4

    @inline(__always)
    init(_ raw: UnsafeMutableRawPointer) { unsafe self.raw = raw }

    // SAFETY of every load and store below: an entry's block is at least as long as its header, flags
    // and lengths say, which `make` sets and nothing else changes.

    @inline(__always) var kind: UInt8 { unsafe raw.load(as: UInt8.self) }

    @inline(__always) var flags: UInt8 { unsafe raw.load(fromByteOffset: 1, as: UInt8.self) }

    public var type: ValueType {
        guard let type = ValueType(rawValue: kind & 15) else { preconditionFailure("entry type") }
        return type
    }

    public var encoding: Encoding {
        guard let encoding = Encoding(rawValue: kind >> 4) else {
            preconditionFailure("entry encoding")
        }
        return encoding
    }

    @inline(__always) public var isString: Bool { kind & 15 == 0 }
    @inline(__always) public var hasDeadline: Bool { flags & Self.hasDeadlineFlag != 0 }
    @inline(__always) var hasWord: Bool { flags & Self.hasWordFlag != 0 }
    @inline(__always) var hasLongKey: Bool { flags & Self.longKeyFlag != 0 }

    /// The deadline in Unix ms, or nil.
    @inline(__always)
    public var deadline: Int64? {
        hasDeadline ? unsafe raw.load(fromByteOffset: 16, as: Int64.self) : nil
    }

    @inline(__always)
    public func isExpired(at now: Int64) -> Bool {
        unsafe hasDeadline && raw.load(fromByteOffset: 16, as: Int64.self) < now
    }

    @inline(__always) private var wordOffset: Int { hasDeadline ? 24 : 16 }

    @inline(__always)
    private var keyOffset: Int {
        let flags = flags
        return 16 + Int(flags & 1) &* 8 + Int(flags & 2) &* 4 + Int(flags & 4) &* 2
    }

    @inline(__always)
    public var keyCount: Int {
        if _fastPath(!hasLongKey) {
            return Int(unsafe raw.load(fromByteOffset: 2, as: UInt16.self))
        }
        return unsafe raw.load(fromByteOffset: keyOffset - 8, as: Int.self)
    }

    @inline(__always)
    public var key: ByteSlice { unsafe ByteSlice(base: raw + keyOffset, count: keyCount) }

    /// What access tracking keeps about the key: 24 bits of LRU clock, or of LFU time and counter.
    @inline(__always)
    public var access: UInt32 {
        get { unsafe raw.load(fromByteOffset: 4, as: UInt32.self) }
        nonmutating set { unsafe raw.storeBytes(of: newValue, toByteOffset: 4, as: UInt32.self) }
    }

    @inline(__always)
    var epoch: UInt32 {
        get { unsafe raw.load(fromByteOffset: 8, as: UInt32.self) }
        nonmutating set { unsafe raw.storeBytes(of: newValue, toByteOffset: 8, as: UInt32.self) }
    }

    @inline(__always)
    var inlineCount: Int {
        Int(unsafe raw.load(fromByteOffset: 12, as: UInt32.self))
    }

    @inline(__always)
    var word: UInt64 {
        get { unsafe raw.load(fromByteOffset: wordOffset, as: UInt64.self) }
        nonmutating set {
            unsafe raw.storeBytes(of: newValue, toByteOffset: wordOffset, as: UInt64.self)
        }
    }

    /// The integer of an int-encoded string.
    @inline(__always)
    public var integer: Int64? {
        kind == Encoding.int.rawValue << 4 ? Int64(bitPattern: word) : nil
    }

    /// The blob of a string kept outside the entry.
    @inline(__always)
    var blob: Blob? {
        guard hasWord, isString, kind != Encoding.int.rawValue << 4 else { return nil }
        return unsafe UnsafeMutableRawPointer(bitPattern: UInt(word)).map { unsafe Blob($0) }
    }

    /// The bytes of a value that lies inside the entry.
    @inline(__always)
    var inlineBytes: ByteSlice {
        assert(!hasWord)
        return unsafe ByteSlice(base: raw + keyOffset + keyCount, count: inlineCount)
    }

    /// The bytes of a string that is not int-encoded.
    @inline(__always)
    public var bytes: ByteSlice {
        if _fastPath(!hasWord) { return inlineBytes }
        return blob?.bytes ?? ByteSlice()
    }

    /// Runs `body` with the bytes of a string value, the digits of an int-encoded one.
    @inline(__always)
    public func withBytes<R, E: Error>(_ body: (ByteSlice) throws(E) -> R) throws(E) -> R {
        guard let integer else { return try body(bytes) }
        var digits = InlineArray<20, UInt8>(repeating: 0)
        let count = DecimalText.write(integer, into: &digits)
        let span = digits.span
        // SAFETY: `digits` stays in place while its span is in use, and `count` is at most 20.
        return try unsafe span.withUnsafeBytes { (raw) throws(E) -> R in
            guard let base = raw.baseAddress else { return try body(ByteSlice()) }
            return try body(unsafe ByteSlice(base: base, count: count))
        }
    }

    /// The length of a string value in bytes, as STRLEN counts it.
    public var stringCount: Int {
        if let integer { return DecimalText.length(integer) }
        return bytes.count
    }

    /// The bytes of the entry's own block, as the allocator rounds them.
    var blockBytes: Int { unsafe hf_allocated_bytes(raw) }

    /// Frees the entry; what its value consists of goes to `values`.
    func free(values: inout ReleaseStack) {
        pushValue(to: &values)
        unsafe Glibc.free(raw)
    }

    /// Gives what the value consists of beyond the entry itself to `values`.
    func pushValue(to values: inout ReleaseStack) {
        guard hasWord, kind != Encoding.int.rawValue << 4,
            let address = unsafe UnsafeMutableRawPointer(bitPattern: UInt(word))
        else { return }
        unsafe values.push(address, ReleaseStack.Kind(of: encoding))
    }

    // MARK: Making

    /// A new entry; the caller fills the inline value.
    @inline(__always)
    static func make(
        key: ByteSlice, kind: UInt8, deadline: Int64?, word: UInt64?, inlineCount: Int,
        epoch: UInt32
    ) -> Entry {
        var flags: UInt8 = 0
        if deadline != nil { flags |= hasDeadlineFlag }
        if word != nil { flags |= hasWordFlag }
        if key.count > Int(UInt16.max) { flags |= longKeyFlag }
        let keyOffset = 16 + Int(flags & 1) &* 8 + Int(flags & 2) &* 4 + Int(flags & 4) &* 2
        guard let raw = unsafe malloc(keyOffset + key.count + inlineCount) else {
            fatalError("out of memory")
        }
        // SAFETY: the block is as long as the parts written here.
        unsafe raw.storeBytes(of: kind, as: UInt8.self)
        unsafe raw.storeBytes(of: flags, toByteOffset: 1, as: UInt8.self)
        unsafe raw.storeBytes(
            of: UInt16(truncatingIfNeeded: key.count), toByteOffset: 2, as: UInt16.self)
        unsafe raw.storeBytes(of: 0, toByteOffset: 4, as: UInt32.self)
        unsafe raw.storeBytes(of: epoch, toByteOffset: 8, as: UInt32.self)
        unsafe raw.storeBytes(of: UInt32(inlineCount), toByteOffset: 12, as: UInt32.self)
        var offset = 16
        if let deadline {
            unsafe raw.storeBytes(of: deadline, toByteOffset: offset, as: Int64.self)
            offset += 8
        }
        if let word {
            unsafe raw.storeBytes(of: word, toByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        if flags & longKeyFlag != 0 {
            unsafe raw.storeBytes(of: key.count, toByteOffset: offset, as: Int.self)
        }
        unsafe (raw + keyOffset).copyMemory(from: key.pointer, byteCount: key.count)
        return unsafe Entry(raw)
    }

    /// Where an inline value's bytes go.
    @inline(__always)
    func fillInline(_ value: ByteSlice) {
        assert(value.count == inlineCount && !hasWord)
        // SAFETY: the block was made with room for `inlineCount` bytes behind the key.
        unsafe (raw + keyOffset + keyCount).copyMemory(from: value.pointer, byteCount: value.count)
    }

    /// Puts another inline value in place of the one there is, if the block is long enough; false if not.
    func refillInline(_ value: ByteSlice) -> Bool {
        assert(!hasWord)
        guard keyOffset + keyCount + value.count <= blockBytes else { return false }
        unsafe raw.storeBytes(of: UInt32(value.count), toByteOffset: 12, as: UInt32.self)
        fillInline(value)
        return true
    }

    @inline(__always)
    func setKind(_ kind: UInt8) { unsafe raw.storeBytes(of: kind, as: UInt8.self) }

    @inline(__always)
    func setDeadlineInPlace(_ deadline: Int64) {
        assert(hasDeadline)
        unsafe raw.storeBytes(of: deadline, toByteOffset: 16, as: Int64.self)
    }
}

/// The bytes of a string that outgrew its entry, with room to grow.
///
///     0   length   i64
///     8   room     i64
///     16  birth epoch u32, then 4 bytes unused
///     24  bytes
@safe
struct Blob {
    let raw: UnsafeMutableRawPointer

    static let headerBytes = 24

    init(_ raw: UnsafeMutableRawPointer) { unsafe self.raw = raw }

    // SAFETY: a blob's block is `headerBytes + room` long and `count <= room`.

    var count: Int {
        get { unsafe raw.load(as: Int.self) }
        nonmutating set { unsafe raw.storeBytes(of: newValue, as: Int.self) }
    }
    var room: Int { unsafe raw.load(fromByteOffset: 8, as: Int.self) }
    var epoch: UInt32 { unsafe raw.load(fromByteOffset: 16, as: UInt32.self) }
    var bytes: ByteSlice { unsafe ByteSlice(base: raw + Self.headerBytes, count: count) }
    var address: UInt64 { unsafe UInt64(UInt(bitPattern: raw)) }

    static func make(room: Int, epoch: UInt32) -> Blob {
        guard let raw = unsafe malloc(headerBytes + room) else { fatalError("out of memory") }
        unsafe raw.storeBytes(of: 0, as: Int.self)
        unsafe raw.storeBytes(of: room, toByteOffset: 8, as: Int.self)
        unsafe raw.storeBytes(of: epoch, toByteOffset: 16, as: UInt32.self)
        return unsafe Blob(raw)
    }

    func write(_ source: ByteSlice, at offset: Int) {
        precondition(offset >= 0 && offset + source.count <= room, "blob write out of bounds")
        unsafe (raw + Self.headerBytes + offset).copyMemory(
            from: source.pointer, byteCount: source.count)
    }

    func zero(_ range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= room, "blob write out of bounds")
        unsafe _ = memset(raw + Self.headerBytes + range.lowerBound, 0, range.count)
    }

    func setByte(_ byte: UInt8, at offset: Int) {
        precondition(offset >= 0 && offset < room, "blob write out of bounds")
        unsafe raw.storeBytes(of: byte, toByteOffset: Self.headerBytes + offset, as: UInt8.self)
    }

    /// Replaces each word by what `body` makes of it and the word of `other` at the same place.
    @inline(__always)
    func merge(_ other: ByteSlice, _ body: (UInt64, UInt64) -> UInt64) {
        precondition(other.count <= count, "blob write out of bounds")
        let target = unsafe raw + Self.headerBytes
        let source = unsafe other.pointer
        var offset = 0
        // SAFETY: both are at least `other.count` bytes long.
        while offset &+ 8 <= other.count {
            let left = unsafe target.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let right = unsafe source.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            unsafe target.storeBytes(of: body(left, right), toByteOffset: offset, as: UInt64.self)
            offset &+= 8
        }
        while offset < other.count {
            let left = unsafe UInt64(target.load(fromByteOffset: offset, as: UInt8.self))
            let right = unsafe UInt64(source.load(fromByteOffset: offset, as: UInt8.self))
            unsafe target.storeBytes(
                of: UInt8(truncatingIfNeeded: body(left, right)), toByteOffset: offset,
                as: UInt8.self)
            offset &+= 1
        }
    }
}

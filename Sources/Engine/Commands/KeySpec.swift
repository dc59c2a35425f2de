/// Where a command's keys stand among its words: where to begin, how far to go, and what becomes of them.
///
/// This is Redis's key specification (protocol of COMMAND INFO): a client or proxy can find the keys of
/// a command that it doesn't know, and so do GETKEYS, the ACL check and the log's key-bound checks here.
public struct KeySpec: Sendable, Equatable {
    public let begin: Begin
    public let find: Find
    public let flags: KeyFlags

    /// Word 0 is the command's name.
    public enum Begin: Sendable, Equatable {
        case index(Int)
        /// After the keyword; a negative `from` searches backwards from that far off the end.
        case keyword(String, from: Int)
        case unknown
    }

    public enum Find: Sendable, Equatable {
        /// To `last`, counted from the first key, or from the end if negative; with `limit` above 1 only
        /// the first of `limit` equal parts of what follows.
        case range(last: Int, step: Int, limit: Int)
        /// A word says how many; both offsets count from where the search begins.
        case counted(numberAt: Int, firstAt: Int, step: Int)
        case unknown
    }

    public init(_ begin: Begin, _ find: Find, _ flags: KeyFlags) {
        self.begin = begin
        self.find = find
        self.flags = flags
    }

    // How rows write their keys.

    /// One key, word 1.
    public static func first(_ use: KeyFlags, _ more: KeyFlags = []) -> KeySpec {
        .at(1, use, more)
    }

    /// One key, word `index`.
    public static func at(_ index: Int, _ use: KeyFlags, _ more: KeyFlags = []) -> KeySpec {
        KeySpec(.index(index), .range(last: 0, step: 1, limit: 0), use.union(more))
    }

    /// From word `index` to `last`: an offset from there, or from the end if negative.
    public static func from(
        _ index: Int, to last: Int = -1, step: Int = 1, _ use: KeyFlags, _ more: KeyFlags = []
    ) -> KeySpec {
        KeySpec(.index(index), .range(last: last, step: step, limit: 0), use.union(more))
    }

    /// As many as word `index` says, right after it.
    public static func counted(at index: Int, _ use: KeyFlags, _ more: KeyFlags = []) -> KeySpec {
        KeySpec(.index(index), .counted(numberAt: 0, firstAt: 1, step: 1), use.union(more))
    }

    /// After the first `keyword` that stands at word `from` or later.
    public static func after(
        _ keyword: String, from: Int, to last: Int = 0, limit: Int = 0,
        _ use: KeyFlags, _ more: KeyFlags = []
    ) -> KeySpec {
        KeySpec(
            .keyword(keyword, from: from), .range(last: last, step: 1, limit: limit),
            use.union(more))
    }

    /// Keys that only running the command finds.
    public static func unknown(_ use: KeyFlags, _ more: KeyFlags = []) -> KeySpec {
        KeySpec(.unknown, .unknown, use.union(more))
    }
}

/// What a command does with a key; the bits stand in the order in which COMMAND lists them.
public struct KeyFlags: OptionSet, Sendable, Hashable {
    public let rawValue: UInt16
    @inlinable public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// The value is only read.
    public static let ro = KeyFlags(rawValue: 1 << 0)
    /// Read and changed.
    public static let rw = KeyFlags(rawValue: 1 << 1)
    /// Overwritten, whatever it was.
    public static let ow = KeyFlags(rawValue: 1 << 2)
    /// Removed.
    public static let rm = KeyFlags(rawValue: 1 << 3)
    /// User data is returned, copied or used to decide.
    public static let access = KeyFlags(rawValue: 1 << 4)
    public static let update = KeyFlags(rawValue: 1 << 5)
    public static let insert = KeyFlags(rawValue: 1 << 6)
    public static let delete = KeyFlags(rawValue: 1 << 7)
    /// Routed like a key, but none (a shard channel).
    public static let notKey = KeyFlags(rawValue: 1 << 8)
    /// There may be more keys than the specification finds.
    public static let incomplete = KeyFlags(rawValue: 1 << 9)
    /// The flags depend on the arguments.
    public static let variableFlags = KeyFlags(rawValue: 1 << 10)

    static let allNames: [StaticString] = [
        "RO", "RW", "OW", "RM", "access", "update", "insert", "delete", "not_key", "incomplete",
        "variable_flags",
    ]

    public var names: [StaticString] {
        Self.allNames.indices.filter { rawValue & (1 << UInt16($0)) != 0 }
            .map { Self.allNames[$0] }
    }
}

/// The keys as COMMAND showed them before key specifications: first, last (negative: from the end), step.
public struct LegacyKeyRange: Sendable, Equatable {
    public var first = 0
    public var last = 0
    public var step = 0
    /// Whether the range covers every key that the command can have.
    public var isComplete = true
}

extension KeySpec {
    /// One range in place of the specifications, as far as they are plain index ranges that follow on
    /// one another; the rest makes the command's keys "movable".
    static func legacyRange(_ specs: [KeySpec]) -> LegacyKeyRange {
        var result = LegacyKeyRange()
        if specs.isEmpty { return result }
        if specs.count == 1, case .index(let first) = specs[0].begin,
            case .range(let last, let step, _) = specs[0].find
        {
            result.first = first
            result.last = last < 0 ? last : first + last
            result.step = step
            result.isComplete = !specs[0].flags.contains(.incomplete)
            return result
        }
        var first = Int.max
        // From the end counts as farther than any index, so the maximum is taken without the sign.
        var last: UInt = 0
        for spec in specs {
            guard case .index(let index) = spec.begin,
                case .range(let offset, let step, _) = spec.find,
                step == 1, last == 0 || last == UInt(bitPattern: index - 1)
            else {
                result.isComplete = false
                continue
            }
            if spec.flags.contains(.incomplete) { result.isComplete = false }
            first = min(first, index)
            last = max(last, UInt(bitPattern: offset >= 0 ? index + offset : offset))
        }
        if first == Int.max {
            result.isComplete = false
            return result
        }
        result.first = first
        result.last = Int(bitPattern: last)
        result.step = 1
        return result
    }
}

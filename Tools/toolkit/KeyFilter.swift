public import HoldfastBytes

/// Which keys a command is about (`CommonOptions.filters`): all conditions must hold, of several globs one.
public struct KeyFilter {
    private var globs: [[UInt8]] = []
    private var pattern: TextPattern?
    private var type: String?
    private var database: Int?
    private var sizes: ClosedRange<Int64>?
    private var lifetimes: ClosedRange<Int64>?
    private var isWithoutDeadline = false

    public init(_ arguments: ParsedArguments) throws(UsageError) {
        globs = arguments.values("match").map { Array($0.utf8) }
        if let text = arguments.value("regex") { pattern = try TextPattern(text) }
        type = arguments.value("type")
        if let text = arguments.value("db") {
            guard let number = Int(text), number >= 0 else {
                throw UsageError("--db wants a number, not \(text)")
            }
            database = number
        }
        if let text = arguments.value("size") {
            guard let range = Quantities.range(text, Quantities.size) else {
                throw UsageError("--size wants a range of sizes as 1kb..10mb, not \(text)")
            }
            sizes = range
        }
        if let text = arguments.value("ttl") {
            if text == "none" {
                isWithoutDeadline = true
            } else if let range = Quantities.range(text, Quantities.milliseconds) {
                lifetimes = range
            } else {
                throw UsageError("--ttl wants a range of durations as 0..1h, or none, not \(text)")
            }
        }
    }

    /// Nothing was asked for.
    public var acceptsAll: Bool {
        globs.isEmpty && pattern == nil && type == nil && database == nil && sizes == nil
            && lifetimes == nil && !isWithoutDeadline
    }

    /// Whether nothing but the key and its database must be looked at.
    public var needsKeyOnly: Bool {
        type == nil && sizes == nil && lifetimes == nil && !isWithoutDeadline
    }

    /// Whether a key of this name in this database may be meant.
    ///
    /// - Throws: `UsageError` for a pattern that takes too much work.
    public func accepts(key: ByteSlice, database number: Int) throws(UsageError) -> Bool {
        if let database, database != number { return false }
        if !globs.isEmpty {
            let isMatched = globs.contains { $0.withSlice { Glob.matches($0, key) } }
            if !isMatched { return false }
        }
        if let pattern { return try pattern.isFound(in: key) }
        return true
    }

    /// Whether its value is meant.
    ///
    /// - Parameter lifetime: milliseconds from the file's moment to the deadline, negative if that has passed;
    ///   nil without one.
    public func accepts(type name: String, size: Int64, lifetime: Int64?) -> Bool {
        if let type, type != name { return false }
        if let sizes, !sizes.contains(size) { return false }
        if isWithoutDeadline { return lifetime == nil }
        if let lifetimes {
            guard let lifetime else { return false }
            return lifetimes.contains(lifetime)
        }
        return true
    }
}

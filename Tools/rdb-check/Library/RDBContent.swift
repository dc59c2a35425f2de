public import HoldfastBytes
public import HoldfastPlatform
public import Snapshot
internal import Store

/// RDB content that another tool meets in a file of its own, as the base of a log: checked as `verify` checks it, and
/// spelled out as `convert --to aof` does.
public struct RDBContent {
    /// What was read of it.
    public struct Summary {
        public var version = 0
        public var keys: UInt64 = 0
        public var deadlines: UInt64 = 0
        /// It is in an LZ4 frame.
        public var isExpanded = false
        public var lacksChecksum = false
        public var aux = SnapshotAux()
        /// Where it ends, in bytes of the RDB.
        public var end: Int64 = 0
        /// Packed values of which only the structure was looked at.
        public var passedOver: UInt64 = 0
    }

    private let open: () throws(SystemError) -> any SnapshotSource

    /// - Parameter open: gives the content from its first byte on, each time anew.
    public init(_ open: @escaping () throws(SystemError) -> any SnapshotSource) {
        self.open = open
    }

    private struct Visitor: PlainVisitor {
        let repeated: RepeatedKeys
        var module: SnapshotReadError?
        var passedOver: UInt64 = 0

        mutating func begin(_ key: KeyFacts) -> Bool {
            repeated.add(key.key, key.database)
            if key.head.form == .module, module == nil {
                module = SnapshotReadError(
                    reason: .moduleValue, offset: key.head.offset, step: .readObjectValue,
                    key: key.key.prefix(1024).copyToArray(), database: key.database,
                    form: key.head.form.rawValue)
            }
            return true
        }
        mutating func end(_ key: KeyFacts) {}
        mutating func passedOver(bytes: UInt64) { passedOver += 1 }
    }

    /// Reads all of it, and throws what a server would refuse it for.
    ///
    /// - Parameter goOn: asked about once a MiB with the bytes read; false ends it.
    public func check(_ goOn: (Int64) -> Bool) throws(WalkFailure) -> Summary {
        let source = try RDBCheckSession.opening(open)
        let repeated = RepeatedKeys()
        var walk = try RDBCheckSession.opening { () throws(SystemError) in
            try Walk(
                source, Visitor(repeated: repeated), longStrings: LongStrings(),
                settings: WalkSettings(sourceBytes: source.totalBytes))
        }
        try walk.run(goOn)
        if let error = walk.sink.visitor.module { throw .read(error) }
        let hashes = repeated.find()
        if !hashes.isEmpty {
            let again = try RDBCheckSession.opening(open)
            if let found = try repeated.locate(hashes, in: again, goOn) {
                throw .read(
                    SnapshotReadError(
                        reason: .duplicateKey, offset: found.offset, step: .readKey,
                        key: Array(found.key.prefix(1024)), database: found.database,
                        form: found.form))
            }
        }
        var summary = Summary()
        summary.version = walk.reader.version
        summary.keys = walk.tally.keys
        summary.deadlines = walk.tally.deadlines
        summary.isExpanded = walk.reader.isExpanded
        summary.lacksChecksum = walk.reader.lacksChecksum
        summary.aux = walk.reader.aux
        summary.end = walk.reader.offset
        summary.passedOver = walk.sink.visitor.passedOver
        return summary
    }

    /// Spells all of it out as commands.
    ///
    /// - Parameters:
    ///   - command: called when a command begins.
    ///   - write: takes the commands' bytes, in parts.
    ///   - goOn: asked about once a MiB; false ends it.
    /// - Returns: how many keys there were, and which are missing or incomplete, since no command can hold them.
    public func sendCommands(
        command: @escaping () -> Void, write: @escaping (ByteSlice) -> Void,
        goOn: (Int64) -> Bool
    ) throws(WalkFailure) -> (keys: UInt64, leftOut: [String]) {
        let source = try RDBCheckSession.opening(open)
        let longStrings = LongStrings()
        let visitor = CommandVisitor(
            longStrings, wants: { _ in true }, command: command, write: write)
        var walk = try RDBCheckSession.opening { () throws(SystemError) in
            try Walk(
                source, visitor, longStrings: longStrings,
                settings: WalkSettings(sourceBytes: source.totalBytes))
        }
        try walk.run(goOn)
        return (walk.sink.visitor.count, walk.sink.visitor.leftOut)
    }
}

/// Which transactions watch which keys, by touch mark (a 64-bit hash of database and key: should two keys
/// ever share one, a transaction is aborted that needn't have been).
public struct WatchTable: ~Copyable {
    /// One watching session; the session holds it and asks `isDirty` at EXEC.
    public final class Watcher {
        /// A watched key was changed.
        public fileprivate(set) var isDirty = false
        fileprivate var marks: [UInt64] = []

        public init() {}

        /// A watched key has expired, or the transaction must fail for another reason.
        public func makeDirty() { isDirty = true }
        public var isEmpty: Bool { marks.isEmpty }
    }

    private var watchers: [UInt64: [Watcher]] = [:]

    public init() {}

    public var isEmpty: Bool { watchers.isEmpty }
    /// The marks of all keys watched by anybody.
    var marks: [UInt64] { Array(watchers.keys) }
    /// The number of keys watched by anybody.
    public var count: Int { watchers.count }

    public mutating func watch(_ mark: UInt64, _ watcher: Watcher) {
        if watcher.marks.contains(mark) { return }
        watcher.marks.append(mark)
        watchers[mark, default: []].append(watcher)
    }

    /// Forgets all that `watcher` watches.
    public mutating func unwatch(_ watcher: Watcher) {
        for mark in watcher.marks {
            watchers[mark]?.removeAll { $0 === watcher }
            if watchers[mark]?.isEmpty == true { watchers[mark] = nil }
        }
        watcher.marks = []
        watcher.isDirty = false
    }

    mutating func touch(_ mark: UInt64) {
        guard !watchers.isEmpty, let watching = watchers[mark] else { return }
        for watcher in watching { watcher.isDirty = true }
    }
}

/// A position in the stream of effect records, in bytes since the history began; also the replication
/// offset. Annotation lines and the SELECT that opens a segment don't count in it.
public struct LSN: Comparable, Hashable, Sendable, CustomStringConvertible {
    public var value: UInt64

    public init(_ value: UInt64) { self.value = value }

    public static let zero = LSN(0)

    public static func < (left: LSN, right: LSN) -> Bool { left.value < right.value }

    public func advanced(by bytes: Int) -> LSN {
        precondition(bytes >= 0, "an LSN never goes back")
        return LSN(value + UInt64(bytes))
    }

    public var description: String { String(value) }
}

public import HoldfastBytes

/// The auxiliary fields of a snapshot, as far as they mean something to us.
public struct SnapshotAux: Sendable {
    static let historyName = "holdfast-history"
    static let lsnName = "holdfast-lsn"
    static let timeName = "holdfast-time"

    public var redisVersion: String?
    /// Unix seconds.
    public var createdSeconds: Int64?
    public var usedMemoryBytes: Int64?
    public var isBase = false
    public var history: String?
    public var lsn: UInt64?
    /// Unix ms.
    public var milliseconds: Int64?
    public var replicationID: String?
    public var replicationOffset: Int64?
    public var streamDatabase: Int?

    public init() {}

    /// Takes a field; names count without case, and those unknown are ignored.
    public mutating func take(_ name: ByteSlice, _ value: ByteSlice) {
        if name.equalsIgnoringCase("redis-ver") || name.equalsIgnoringCase("valkey-ver") {
            redisVersion = value.prefix(Self.textMax).text
        } else if name.equalsIgnoringCase("ctime") {
            createdSeconds = DecimalText.parse(value)
        } else if name.equalsIgnoringCase("used-mem") {
            usedMemoryBytes = DecimalText.parse(value)
        } else if name.equalsIgnoringCase("aof-base") || name.equalsIgnoringCase("aof-preamble") {
            isBase = DecimalText.parse(value) == 1
        } else if name.equalsIgnoringCase("holdfast-history") {
            history = value.prefix(Self.textMax).text
        } else if name.equalsIgnoringCase("holdfast-lsn") {
            lsn = DecimalText.parse(value).flatMap { UInt64(exactly: $0) }
        } else if name.equalsIgnoringCase("holdfast-time") {
            milliseconds = DecimalText.parse(value)
        } else if name.equalsIgnoringCase("repl-id") {
            replicationID = value.prefix(Self.textMax).text
        } else if name.equalsIgnoringCase("repl-offset") {
            replicationOffset = DecimalText.parse(value)
        } else if name.equalsIgnoringCase("repl-stream-db") {
            streamDatabase = DecimalText.parse(value).flatMap { Int(exactly: $0) }
        }
    }

    private static let textMax = 128
}

/// Every bound a request decoder obeys. The figures are Redis's (7.0 to 7.4).
public struct RESPLimits: Sendable {
    /// The longest inline request, and the longest `*` or `$` header, without a line end: 64 KiB.
    public static let lineBytesMax = 65_536
    /// The largest argument count that can be declared: 2^31 - 1.
    public static let argumentsMax = Int64(Int32.max)
    /// Before authentication: at most this many arguments ...
    public static let unauthenticatedArgumentsMax: Int64 = 10
    /// ... of at most this many bytes each.
    public static let unauthenticatedBulkBytesMax: Int64 = 16_384

    /// The largest single argument (`proto-max-bulk-len`), 512 MiB unless configured.
    public var bulkBytesMax: Int64 = 512 << 20
    public var isAuthenticated = true

    public init() {}
}

internal import HoldfastBytes
internal import HoldfastPlatform

/// A connection to a server that keys move to, kept for the next MIGRATE.
final class MigrationLink {
    let connection: TimedConnection
    /// Selected there by the last dialogue; nil if that isn't certain.
    var database: Int64?
    fileprivate(set) var usedAt: Int64

    fileprivate init(_ connection: TimedConnection, at second: Int64) {
        self.connection = connection
        usedAt = second
    }
}

/// The connections of MIGRATE, by where they lead; one that rests for ten seconds is closed, as in Redis.
struct MigrationLinks {
    private static let linksMax = 64
    private static let idleSecondsMax: Int64 = 10

    struct Target: Hashable {
        var host: String
        var port: UInt16
    }

    private var links: [Target: MigrationLink] = [:]

    var count: Int { links.count }

    /// The connection to `target`, a new one if there is none.
    mutating func link(
        to target: Target, milliseconds: Int64, at second: Int64
    ) throws(TimedConnection.Failure) -> MigrationLink {
        if let link = links[target] {
            link.usedAt = second
            return link
        }
        if links.count >= Self.linksMax,
            let oldest = links.min(by: { $0.value.usedAt < $1.value.usedAt })
        {
            links[oldest.key] = nil
        }
        let connection = try TimedConnection(
            host: target.host, port: target.port, milliseconds: milliseconds)
        let link = MigrationLink(connection, at: second)
        links[target] = link
        return link
    }

    mutating func close(_ target: Target) { links[target] = nil }

    /// Closes what has rested for too long; called now and then.
    mutating func closeIdle(at second: Int64) {
        guard !links.isEmpty else { return }
        links = links.filter { second - $0.value.usedAt <= Self.idleSecondsMax }
    }
}

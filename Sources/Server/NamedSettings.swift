public import HoldfastPlatform

/// When a write is durable (`appendfsync`); the raw value is the directive's index.
public enum SyncChoice: Int, Sendable { case everysec, always, no }

/// Whether a reply that shows a change waits for its durability (`read-visibility`).
public enum ReadVisibility: Int, Sendable { case gated, immediate }

/// Who may use something (`enable-…`).
public enum Permission: Int, Sendable {
    case no, yes, local

    /// - Parameter isLocal: whether the client is connected over loopback or a unix socket.
    public func allows(isLocal: Bool) -> Bool { self == .yes || (self == .local && isLocal) }
}

/// What a signal does beside stopping (`shutdown-on-sigint`, `shutdown-on-sigterm`).
public struct ShutdownChoice: OptionSet, Sendable {
    public let rawValue: Int
    public init(rawValue: Int) { self.rawValue = rawValue }
    public static let save = ShutdownChoice(rawValue: 1)
    public static let nosave = ShutdownChoice(rawValue: 2)
    public static let now = ShutdownChoice(rawValue: 4)
    public static let force = ShutdownChoice(rawValue: 8)
}

/// The settings the server asks for by name. Reading one is an index and a comparison; what is asked
/// per command is copied out when it changes.
extension Configuration {
    // Network
    public var addresses: [String] {
        guard case .addresses(let addresses) = self[.bind] else { return [] }
        return addresses
    }
    public var port: Int { number(.port) }
    public var tcpBacklog: Int { number(.tcpBacklog) }
    /// Path of the unix socket; empty for none.
    public var unixsocket: String { text(.unixsocket) }
    public var unixsocketperm: Int { number(.unixsocketperm) }
    /// Seconds; 0 for never.
    public var timeout: Int { number(.timeout) }
    /// Seconds; 0 for none.
    public var tcpKeepalive: Int { number(.tcpKeepalive) }
    public var protectedMode: Bool { flag(.protectedMode) }
    public var maxclients: Int { number(.maxclients) }

    // General
    /// The working folder, an absolute path.
    public var dir: String { text(.dir) }
    public var databases: Int { number(.databases) }
    public var hz: Int { number(.hz) }
    public var logfile: String { text(.logfile) }
    public var loglevel: DiagnosticsLevel {
        DiagnosticsLevel(rawValue: choice(.loglevel)) ?? .notice
    }
    public var shutdownOnSigint: ShutdownChoice {
        ShutdownChoice(rawValue: choice(.shutdownOnSigint))
    }
    public var shutdownOnSigterm: ShutdownChoice {
        ShutdownChoice(rawValue: choice(.shutdownOnSigterm))
    }
    public var enableProtectedConfigs: Permission { permission(.enableProtectedConfigs) }
    public var enableDebugCommand: Permission { permission(.enableDebugCommand) }
    public var enableModuleCommand: Permission { permission(.enableModuleCommand) }

    private func permission(_ setting: Setting) -> Permission {
        Permission(rawValue: choice(setting)) ?? .no
    }

    // Log
    public var appendonly: Bool { flag(.appendonly) }
    public var appendfsync: SyncChoice { SyncChoice(rawValue: choice(.appendfsync)) ?? .everysec }
    public var appenddirname: String { text(.appenddirname) }
    public var appendfilename: String { text(.appendfilename) }
    public var walSegmentSize: Int { number(.walSegmentSize) }
    public var walPreallocate: Bool { flag(.walPreallocate) }
    public var walReserve: Int { number(.walReserve) }
    public var maxUnsyncedMilliseconds: Int { number(.maxUnsyncedMs) }
    public var maxUnsyncedBytes: Int { number(.maxUnsyncedBytes) }
    public var clockJumpLimitMilliseconds: Int { number(.clockJumpLimit) }
    public var readVisibility: ReadVisibility {
        ReadVisibility(rawValue: choice(.readVisibility)) ?? .gated
    }

    // Clients
    public var requirepass: [UInt8] { bytes(.requirepass) }
    public var bufferLimits: BufferLimits {
        guard case .bufferLimits(let limits) = self[.clientOutputBufferLimit] else {
            return BufferLimits()
        }
        return limits
    }
    public var clientQueryBufferLimit: Int { number(.clientQueryBufferLimit) }
    public var protoMaxBulkLen: Int { number(.protoMaxBulkLen) }
    public var gatherPauseMicroseconds: Int { number(.gatherPauseUs) }

    // Watching
    public var savePoints: [SavePoint] {
        guard case .savePoints(let points) = self[.save] else { return [] }
        return points
    }
    /// Microseconds; negative for none.
    public var slowlogLogSlowerThan: Int { number(.slowlogLogSlowerThan) }
    public var slowlogMaxLen: Int { number(.slowlogMaxLen) }
    public var latencyMonitorThreshold: Int { number(.latencyMonitorThreshold) }
    public var latencyTracking: Bool { flag(.latencyTracking) }
    public var latencyPercentiles: [Double] {
        guard case .percentiles(let percentiles) = self[.latencyTrackingInfoPercentiles] else {
            return []
        }
        return percentiles
    }
    public var keyEvents: KeyEvents {
        guard case .keyEvents(let events) = self[.notifyKeyspaceEvents] else { return [] }
        return events
    }
}

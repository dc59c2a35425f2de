internal import Glibc
internal import HoldfastPlatform

/// The lines of a start, in the order in which those who watch for them expect them.
enum StartReport {
    static func begin(
        _ configuration: Configuration, _ diagnostics: Diagnostics,
        _ allocator: any AllocatorStatistics
    ) {
        diagnostics.notice("oO0OoO0OoO0Oo Holdfast is starting oO0OoO0OoO0Oo")
        diagnostics.notice(
            "Holdfast version=\(HoldfastVersion.product), Redis version=\(HoldfastVersion.redis), bits=64, "
                + "commit=00000000, modified=0, pid=\(getpid()), just started")
        if configuration.file == nil {
            diagnostics.warning(
                "Warning: no config file specified, using the default config. In order to specify a config "
                    + "file use holdfast-server /path/to/holdfast.conf")
        } else {
            diagnostics.notice("Configuration loaded")
        }
        if configuration.flag(.alwaysShowLogo) {
            diagnostics.raw(
                """
                Holdfast \(HoldfastVersion.product) (Redis protocol \(HoldfastVersion.redis)) 64 bit
                Running in standalone mode
                Port: \(configuration.port)
                 PID: \(getpid())
                """)
        }
        diagnostics.notice("monotonic clock: POSIX clock_gettime")
        let idle = configuration.settingsWithoutMeaning
        if !idle.isEmpty {
            diagnostics.notice(
                "Accepted for compatibility, without a meaning here yet: "
                    + idle.joined(separator: ", "))
        }
    }

    /// Once per start, when commands are served.
    static func ready(_ listeners: [Listener], _ diagnostics: Diagnostics) {
        if listeners.contains(where: { !$0.isUnix }) {
            diagnostics.notice("Ready to accept connections tcp")
        }
        if listeners.contains(where: { $0.isUnix }) {
            diagnostics.notice("Ready to accept connections unix")
        }
    }
}

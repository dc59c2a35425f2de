internal import Engine
internal import HoldfastBytes
internal import HoldfastRESP

/// CLIENT TRACKING and what belongs to it.
enum TrackingCommands {
    @Sendable
    static func tracking(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        var options: Tracking.Options = []
        var redirection: Int64 = 0
        var prefixes: [[UInt8]] = []
        var index = 3
        while index < arguments.count {
            let word = arguments[index]
            let hasMore = index + 1 < arguments.count
            if word.equalsIgnoringCase("redirect"), hasMore {
                index += 1
                if redirection != 0 {
                    throw .text("ERR A client can only redirect to a single other client")
                }
                guard let id = DecimalText.parse(arguments[index]) else { throw .notAnInteger }
                guard state.sessions.session(id: id) != nil else {
                    throw .text("ERR The client ID you want redirect to does not exist")
                }
                redirection = id
            } else if word.equalsIgnoringCase("bcast") {
                options.insert(.broadcast)
            } else if word.equalsIgnoringCase("optin") {
                options.insert(.optIn)
            } else if word.equalsIgnoringCase("optout") {
                options.insert(.optOut)
            } else if word.equalsIgnoringCase("noloop") {
                options.insert(.noLoop)
            } else if word.equalsIgnoringCase("prefix"), hasMore {
                index += 1
                prefixes.append(arguments[index].copyToArray())
            } else {
                throw .syntax
            }
            index += 1
        }
        if arguments[2].equalsIgnoringCase("on") {
            try check(session, options, prefixes)
            let tracking = Tracking(options, redirection: redirection)
            if options.contains(.broadcast) {
                tracking.prefixes = prefixes.isEmpty ? [[]] : prefixes
            }
            state.enableTracking(session, tracking)
        } else if arguments[2].equalsIgnoringCase("off") {
            state.disableTracking(session)
        } else {
            throw .syntax
        }
        state.reply.ok()
    }

    /// Refuses options that contradict each other or what is in force.
    private static func check(
        _ session: Session, _ options: Tracking.Options, _ prefixes: [[UInt8]]
    ) throws(CommandError) {
        let isBroadcast = options.contains(.broadcast)
        if !isBroadcast, !prefixes.isEmpty {
            throw .text("ERR PREFIX option requires BCAST mode to be enabled")
        }
        let before = session.tracking?.options
        if let before, before.contains(.broadcast) != isBroadcast {
            throw .text(
                """
                ERR You can't switch BCAST mode on/off before disabling tracking for this client, and \
                then re-enabling it with a different mode.
                """)
        }
        if isBroadcast, !options.isDisjoint(with: [.optIn, .optOut]) {
            throw .text("ERR OPTIN and OPTOUT are not compatible with BCAST")
        }
        if options.isSuperset(of: [.optIn, .optOut]) {
            throw .text("ERR You can't specify both OPTIN mode and OPTOUT mode")
        }
        if let before,
            options.contains(.optIn) && before.contains(.optOut)
                || options.contains(.optOut) && before.contains(.optIn)
        {
            throw .text(
                """
                ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and \
                then re-enabling it with a different mode.
                """)
        }
        for (place, prefix) in prefixes.enumerated() {
            if let other = session.tracking?.prefixes.first(where: { overlap($0, prefix) }) {
                throw overlapping(prefix, "an existing prefix", other)
            }
            if let other = prefixes[(place + 1)...].first(where: { overlap($0, prefix) }) {
                throw overlapping(prefix, "another provided prefix", other)
            }
        }
    }

    private static func overlap(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        left.starts(with: right) || right.starts(with: left)
    }

    private static func overlapping(
        _ prefix: [UInt8], _ what: String, _ other: [UInt8]
    ) -> CommandError {
        var text = Array("ERR Prefix '".utf8) + prefix
        text += Array("' overlaps with \(what) '".utf8) + other
        return .bytes(text + Array("'. Prefixes for a single client must not overlap.".utf8))
    }

    @Sendable
    static func caching(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        guard let tracking = session.tracking else {
            throw .text(
                """
                ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or \
                OPTOUT mode enabled
                """)
        }
        if arguments[2].equalsIgnoringCase("yes") {
            guard tracking.options.contains(.optIn) else {
                throw .text(
                    "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.")
            }
        } else if arguments[2].equalsIgnoringCase("no") {
            guard tracking.options.contains(.optOut) else {
                throw .text(
                    "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.")
            }
        } else {
            throw .syntax
        }
        tracking.hasCachingWord = true
        state.reply.ok()
    }

    @Sendable
    static func getRedirection(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        state.reply.integer(session.tracking?.redirection ?? -1)
    }

    @Sendable
    static func trackingInfo(
        _ state: inout ServerState, _ session: Session, _ arguments: Arguments
    ) throws(CommandError) {
        var flags: [String] = []
        if let tracking = session.tracking {
            flags.append("on")
            if tracking.options.contains(.broadcast) { flags.append("bcast") }
            if tracking.options.contains(.optIn) {
                flags.append("optin")
                if tracking.hasCachingWord { flags.append("caching-yes") }
            }
            if tracking.options.contains(.optOut) {
                flags.append("optout")
                if tracking.hasCachingWord { flags.append("caching-no") }
            }
            if tracking.options.contains(.noLoop) { flags.append("noloop") }
            if tracking.isRedirectionBroken { flags.append("broken_redirect") }
        } else {
            flags.append("off")
        }
        let prefixes = (session.tracking?.prefixes ?? []).sorted {
            $0.lexicographicallyPrecedes($1)
        }
        ReplyTree.map([
            .init("flags", .set(flags.map { .bulk($0) })),
            .init("redirect", .integer(Int(session.tracking?.redirection ?? -1))),
            .init("prefixes", .array(prefixes.map { .bytes($0) })),
        ]).write(to: &state.reply)
    }

    static func register(_ rows: inout SessionRows) {
        let own: CommandFlags = [.noScript, .loading, .stale, .sentinel]
        rows.add("client|caching", 3, own, .connection, caching)
        rows.add("client|getredir", 2, own, .connection, getRedirection)
        rows.add("client|tracking", -3, own, .connection, tracking)
        rows.add("client|trackinginfo", 2, own, .connection, trackingInfo)
    }
}

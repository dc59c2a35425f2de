internal import Engine
internal import HoldfastPlatform
internal import Log
internal import Replication
internal import Store

/// From the configuration to what the server's parts go by.
extension ServerState {
    /// Puts a configuration into force.
    ///
    /// - Parameter changed: the settings that differ from what is in force; nil for all, at start.
    /// - Returns: why it can't be, with the setting to blame.
    mutating func apply(
        _ configuration: Configuration, changed: [Setting]?
    ) -> ConfigurationRejection? {
        if let changed {
            if let rejection = applyListeners(configuration, changed) { return rejection }
            if let rejection = applyLog(configuration, changed) { return rejection }
            if changed.contains(.maxclients), !Startup.canServe(clients: configuration.maxclients) {
                return ConfigurationRejection(
                    .maxclients,
                    "The operating system is not able to handle the specified number of clients")
            }
            if changed.contains(.procTitleTemplate), !Startup.setTitle(configuration) {
                return ConfigurationRejection(
                    .procTitleTemplate,
                    "template format is invalid or contains unknown variables")
            }
        }
        settings.take(configuration)
        dispatcher.context.limits.take(configuration)
        applyAccess(configuration, changed: changed)
        slowLog.lengthMax = configuration.slowlogMaxLen
        latency.threshold = Int64(configuration.latencyMonitorThreshold)
        dispatcher.counters.tracksLatency = settings.tracksLatency
        updateMemory()
        updateRoleConditions(configuration)
        saving.points.points = configuration.savePoints.map {
            .init(seconds: $0.seconds, changes: $0.changes)
        }
        replicas.backlog?.bytesWanted = configuration.number(.replBacklogSize)
        updateGoodReplicas(configuration)
        saving.rule.growthPercent = configuration.number(.autoAofRewritePercentage)
        saving.rule.bytesMin = Int64(configuration.number(.autoAofRewriteMinSize))
        updateCondition()
        updateSlowTicks()
        guardedClock.jumpLimit = Int64(configuration.clockJumpLimitMilliseconds)
        if guardedClock.jumpLimit == 0 || guardedClock.held <= guardedClock.jumpLimit {
            guardedClock.acceptJump()
        }
        diagnostics.level = configuration.loglevel
        diagnostics.path = configuration.logfile
        dispatcher.undurable.isOn =
            durability.writer != nil && durability.policy == .always && settings.readsAreGated
        dispatcher.updateRecording()
        updateWantedEvents()
        return nil
    }

    private mutating func applyAccess(_ configuration: Configuration, changed: [Setting]?) {
        users.newUsersHaveAllChannels =
            configuration.choiceName(.aclPubsubDefault) == "allchannels"
        users.file = configuration.text(.aclfile)
        accessLog.lengthMax = configuration.number(.acllogMaxLen)
        guard changed?.contains(.requirepass) ?? !configuration.requirepass.isEmpty else { return }
        var rules = users.standard.rules
        rules.setOnlyPassword(configuration.requirepass)
        putUser(UserTable.standardName, rules)
    }

    /// The users of the configuration or of the ACL file; once, at start.
    mutating func loadUsersAtStart() throws(StartError) {
        if !configuration.users.isEmpty, !users.file.isEmpty {
            throw StartError(
                message:
                    "Configuring Redis with users defined in redis.conf and at the same setting an ACL "
                    + "file path is invalid. This setup is very likely to lead to configuration "
                    + "errors and security holes, please define either an ACL file or declare users "
                    + "directly in your redis.conf, but not both.")
        }
        do throws(UserTable.LineError) {
            try users.load(configuration.users, dispatcher.table)
            if !users.file.isEmpty { try loadUsers() }
        } catch {
            throw StartError(
                message: "Aborting Redis startup because of ACL errors: \(error.reason)")
        }
    }

    /// Opens new listeners where port or addresses change; the loop takes them over after this turn.
    private mutating func applyListeners(
        _ configuration: Configuration, _ changed: [Setting]
    ) -> ConfigurationRejection? {
        guard let setting = changed.first(where: { $0 == .port || $0 == .bind }) else { return nil }
        do throws(ListenError) {
            listenersToAdopt = try Listener.openAll(configuration, withUnix: false)
            return nil
        } catch {
            return ConfigurationRejection(
                setting,
                setting == .port
                    ? "Unable to listen on this port. Check server logs."
                    : "Failed to bind to specified addresses.")
        }
    }

    private mutating func applyLog(
        _ configuration: Configuration, _ changed: [Setting]
    ) -> ConfigurationRejection? {
        if changed.contains(.appendonly) {
            if let reason = configuration.appendonly ? turnLogOn(configuration) : turnLogOff() {
                return ConfigurationRejection(.appendonly, reason)
            }
        }
        if changed.contains(.dir) || changed.contains(.appenddirname) {
            // The log stays where it was opened; Redis changes its working folder as well.
            return nil
        }
        guard let writer = durability.writer else { return nil }
        writer.settings = LogWriterSettings(configuration)
        durability.policy = writer.settings.policy
        return nil
    }
}

extension LogWriterSettings {
    init(_ configuration: Configuration) {
        self.init()
        policy = SyncPolicy(configuration.appendfsync)
        segmentBytesMax = Int64(configuration.walSegmentSize)
        preallocates = configuration.walPreallocate
        unsyncedBytesMax = configuration.maxUnsyncedBytes
        unsyncedMillisecondsMax = configuration.maxUnsyncedMilliseconds
        reserveBytes = Int64(configuration.walReserve)
        retainBytes = Int64(configuration.number(.walRetainSize))
        retainReplicaBytes = Int64(configuration.number(.walRetainReplicaSize))
        retainMilliseconds = Int64(
            clamping: min(configuration.number(.walRetainTime), .max / 1000) * 1000)
        archiveCommand = configuration.text(.walArchiveCommand)
    }
}

extension SyncPolicy {
    init(_ choice: SyncChoice) {
        switch choice {
        case .always: self = .always
        case .everysec: self = .everysec
        case .no: self = .no
        }
    }
}

extension ServerSettings {
    mutating func take(_ configuration: Configuration) {
        clientsMax = configuration.maxclients
        idleTimeoutSeconds = configuration.timeout
        keepAliveSeconds = configuration.tcpKeepalive
        isProtected = configuration.protectedMode
        queryBufferMax = configuration.clientQueryBufferLimit
        outputLimits = OutputLimits(configuration.bufferLimits.normal)
        pubSubOutputLimits = OutputLimits(configuration.bufferLimits.pubsub)
        replicaOutputLimits = OutputLimits(configuration.bufferLimits.replica)
        keyEvents = KeyEventKinds(configuration.keyEvents)
        trackedKeysMax = configuration.number(.trackingTableMaxKeys)
        slowLogMicroseconds = Int64(configuration.slowlogLogSlowerThan)
        tracksLatency = configuration.latencyTracking
        gatherMicroseconds = configuration.gatherPauseMicroseconds
        hz = configuration.hz
        activeExpireEffort = configuration.number(.activeExpireEffort)
        readsAreGated = configuration.readVisibility == .gated
        memoryMax = configuration.number(.maxmemory)
        debugCommand = configuration.enableDebugCommand
        moduleCommand = configuration.enableModuleCommand
    }
}

extension KeyEventKinds {
    init(_ events: KeyEvents) {
        let pairs: [(KeyEvents, KeyEventKinds)] = [
            (.keyspaceChannel, .keyspace), (.keyeventChannel, .keyevent), (.generic, .generic),
            (.string, .string), (.list, .list), (.set, .set), (.hash, .hash),
            (.sortedSet, .sortedSet), (.expired, .expired), (.evicted, .evicted),
            (.stream, .stream), (.miss, .miss), (.module, .module), (.new, .new),
        ]
        self = []
        for (event, kind) in pairs where events.contains(event) { insert(kind) }
    }
}

extension EngineLimits {
    mutating func take(_ configuration: Configuration) {
        stringBytesMax = configuration.protoMaxBulkLen
        countsAccesses = configuration.choiceName(.maxmemoryPolicy).hasSuffix("lfu")
        lfuLogFactor = configuration.number(.lfuLogFactor)
        lfuDecayMinutes = configuration.number(.lfuDecayTime)
        expiresLazily = configuration.flag(.lazyfreeLazyExpire)
        deletesLazily = configuration.flag(.lazyfreeLazyUserDel)
        stream = StreamLimits(
            nodeBytes: configuration.number(.streamNodeMaxBytes),
            nodeEntries: configuration.number(.streamNodeMaxEntries))
        replacesLazily = configuration.flag(.lazyfreeLazyServerDel)
        compressesPayloads = configuration.flag(.rdbcompression)
        payloadVersion = Int(configuration.choiceName(.rdbVersion))
        encodings.take(configuration)
        hllSparseBytesMax = configuration.number(.hllSparseMaxBytes)
    }
}

extension EncodingLimits {
    mutating func take(_ configuration: Configuration) {
        hashEntriesMax = configuration.number(.hashMaxListpackEntries)
        hashBytesMax = configuration.number(.hashMaxListpackValue)
        setIntegersMax = configuration.number(.setMaxIntsetEntries)
        setEntriesMax = configuration.number(.setMaxListpackEntries)
        setBytesMax = configuration.number(.setMaxListpackValue)
        sortedSetEntriesMax = configuration.number(.zsetMaxListpackEntries)
        sortedSetBytesMax = configuration.number(.zsetMaxListpackValue)
        listNodeSize = configuration.number(.listMaxListpackSize)
    }
}

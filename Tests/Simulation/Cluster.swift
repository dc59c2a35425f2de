internal import Engine
internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import Replication
internal import Store
internal import TestSupport

/// What runs have seen.
public struct SimulationTally: Sendable, CustomStringConvertible {
    public var runs = 0
    public var turns = 0
    public var writes = 0
    public var confirmed = 0
    public var superseded = 0
    public var kills = 0
    public var powerCuts = 0
    public var cleanStops = 0
    public var cuts = 0
    public var partitions = 0
    public var promotions = 0
    public var wipes = 0
    public var refusals = 0
    public var partials = 0
    public var fulls = 0
    public var catchUps = 0
    /// Full resyncs that a better knowledge of where histories fork would have spared.
    public var unknownForks = 0

    public init() {}

    public mutating func add(_ other: SimulationTally) {
        let fields: [WritableKeyPath<SimulationTally, Int>] = [
            \.runs, \.turns, \.writes, \.confirmed, \.superseded, \.kills, \.powerCuts,
            \.cleanStops,
            \.cuts, \.partitions, \.promotions, \.wipes, \.refusals, \.partials, \.fulls,
            \.catchUps,
            \.unknownForks,
        ]
        for field in fields { self[keyPath: field] += other[keyPath: field] }
    }

    public var description: String {
        "\(turns) turns, \(writes) writes, \(confirmed) confirmed by replicas, \(superseded) superseded, "
            + "\(kills) kills, \(powerCuts) power cuts, \(cleanStops) clean stops, \(cuts) cut links, "
            + "\(partitions) partitions, \(promotions) promotions, \(wipes) lost disks, \(refusals) refusals, "
            + "\(partials) partial and \(fulls) full resyncs (\(unknownForks) of them for want of a fork), "
            + "\(catchUps) catch-ups from disk"
    }
}

/// Some nodes, the network between them, clients, what goes wrong, and somebody who looks after it: one seed, one run.
public final class Cluster {
    private var random: PRNG
    let clock = SimClock()
    let network: SimNetwork
    let judge = Judge()
    /// Commands on data, and the names that a stream has besides.
    let table = CommandTable(
        families: CommandFamilies.data + [
            ["select", "multi", "exec", "ping", "replconf"].map {
                CommandSpec($0, -1, [], .connection, .session(0))
            }
        ])
    private(set) var nodes: [SimNode] = []
    public internal(set) var tally = SimulationTally()
    private let report: ((String) -> Void)?
    private var lives = 0
    /// Whose life it was.
    private(set) var owners: [Int: Int] = [:]
    private var condemned: [SimNode] = []

    /// What may happen in this run.
    private struct Weather {
        var kills = false
        var powerCuts = false
        var cuts = false
        var partitions = false
        var promotions = false
        var chains = false
        var wipes = false
        var diskFaults = false
    }
    private var weather = Weather()
    private(set) var allowsRewrites = false
    private(set) var pings = true
    /// Not with a redis-server on one side.
    private(set) var tellsForks = true
    /// The node that the operator takes for the primary.
    private var leader = 0
    private var leaderLostAt: UInt64?
    private var isEnding = false

    public init(seed: UInt64, say: ((String) -> Void)? = nil) {
        random = PRNG(seed: seed)
        report = say
        let count = random.within(2...4)
        network = SimNetwork(count: count, seed: random.next(), clock: clock)
        for number in 0..<count {
            let node = SimNode(number: number, seed: random.next())
            node.primary = number == 0 ? nil : 0
            drawSettings(node)
            nodes.append(node)
        }
        weather.cuts = true
        weather.kills = random.oneIn(2)
        weather.powerCuts = random.oneIn(2)
        weather.partitions = random.oneIn(2)
        weather.promotions = random.oneIn(2)
        weather.chains = random.oneIn(3)
        weather.wipes = weather.promotions && random.oneIn(4)
        weather.diskFaults = random.oneIn(4)
        allowsRewrites = random.oneIn(2)
        tellsForks = !random.oneIn(4)
    }

    private func drawSettings(_ node: SimNode) {
        node.settings.policy = [.always, .everysec, .no][random.below(3)]
        node.settings.segmentBytesMax = Int64([1_000, 5_000, 50_000][random.below(3)])
        node.settings.preallocates = random.oneIn(3)
        node.settings.reserveBytes = 0
        node.settings.retainBytes = Int64([0, 2_000, 1 << 20, 1 << 30][random.below(4)])
        node.settings.retainReplicaBytes = Int64([0, 1 << 20][random.below(2)])
        node.settings.unsyncedMillisecondsMax = [50, 1_000][random.below(2)]
        node.options.backlogBytes = [500, 10_000, 1 << 20][random.below(3)]
        node.options.slackBytes = [0, 2_000, 1 << 20][random.below(3)]
        node.options.endsByMark = random.oneIn(2)
        node.options.feedChunkBytes = [100, 4_000, 256 << 10][random.below(3)]
    }

    func say(_ text: @autoclosure () -> String) {
        guard let report else { return }
        report("\(clock.monotonicNanoseconds / 1_000_000) ms: \(text())")
    }

    // MARK: A run

    public func run() throws {
        let steps = random.within(200...1_500)
        for _ in 0..<steps where judge.broken == nil {
            step()
            disturb()
        }
        end()
        tally.runs = 1
        tally.writes = judge.acknowledgedCount
        tally.confirmed = judge.confirmedCount
        tally.superseded = judge.supersededCount
        if let broken = judge.broken { throw broken }
    }

    private func step() {
        tally.turns += 1
        clock.advance(milliseconds: random.oneIn(10) ? random.below(200) : random.below(30))
        let node = nodes[random.below(nodes.count)]
        if let process = node.process {
            process.runThreads()
            process.turn(commands: commands(for: node))
        } else if clock.monotonicNanoseconds >= node.startsAt {
            start(node)
        }
        for node in nodes where node.process != nil && node.disk.isOff { powerCut(node) }
        for node in condemned where node.process != nil { kill(node) }
        condemned = []
        operate()
        if random.oneIn(50) { tidy() }
    }

    private func tidy() {
        network.tidy(
            using: nodes.compactMap(\.process).flatMap { process in
                var sockets = process.sessions.map(\.socket)
                switch process.stage {
                case .greeting(let connection), .streaming(let connection):
                    sockets.append(connection.socket)
                case .loading(let load): sockets.append(load.connection.socket)
                case .none, .waiting: break
                }
                return sockets
            })
    }

    private func commands(for node: SimNode) -> Int {
        // What others are to take must not be empty, or they refuse it.
        if isEnding, node.number == leader, !node.isWiped, node.process?.keyCount == 0 { return 1 }
        // Nobody who has looked would write to a node that has lost everything.
        guard !isEnding, !node.isWiped, random.oneIn(2) else { return 0 }
        return random.within(1...(random.oneIn(20) ? 40 : 4))
    }

    /// Faults end, links heal, and everybody is told whom to follow; then all must become one.
    private func end() {
        guard judge.broken == nil else { return }
        say("faults end")
        isEnding = true
        pings = false
        weather = Weather()
        network.heal()
        for node in nodes {
            node.disk.clearFaults()
            node.disk.setFaultRate(0)
            node.disk.powerFails(atCall: nil)
            node.startsAt = 0
        }
        for _ in 0..<6_000 where judge.broken == nil {
            step()
            if isSettled { break }
        }
        guard judge.broken == nil else { return }
        guard isSettled, let process = nodes[leader].process else {
            let places = nodes.map { node in
                node.process.map {
                    "\(node.number): \($0.end) of \($0.replication.histories.current) \($0.stage)"
                } ?? "\(node.number): down"
            }
            return judge.fail("R8: no agreement after faults have ended: \(places)")
        }
        for node in nodes { node.process?.checkData() }
        judge.finished(process.replication.histories.current, process.end)
    }

    private var isSettled: Bool {
        guard let first = nodes[leader].process, first.isPrimary else { return false }
        return nodes.allSatisfy { node in
            guard let process = node.process else { return false }
            if node.number != leader {
                guard case .streaming = process.stage else { return false }
            }
            return process.end == first.end && process.dispatcher.context.log.isEmpty
                && process.replication.histories.current == first.replication.histories.current
                && process.digest == first.digest
        }
    }

    // MARK: Lives

    private func start(_ node: SimNode) {
        lives += 1
        owners[lives] = node.number
        let seed = random.next()
        do {
            node.process = try SimProcess(node, self, life: lives, seed: seed)
            say(
                "node \(node.number) starts at \(node.process?.end ?? .zero), \(node.settings.policy), "
                    + "follows \(node.primary.map(String.init) ?? "nobody")")
        } catch {
            say("node \(node.number) doesn't start: \(error)")
            if node.disk.isOff {
                powerCut(node)
            } else {
                if isEnding { judge.fail("R4: node \(node.number) doesn't start: \(error)") }
                if node.disk.pageDrops != node.pageDrops { node.end = .powerCut }
                node.disk.processKill()
                node.startsAt = clock.monotonicNanoseconds + 500_000_000
            }
        }
    }

    /// Whether all that was written is there after the last process's end.
    func keepsWritten(_ node: SimNode) -> Bool { node.end != .powerCut }

    private func ended(_ node: SimNode, _ end: SimNode.End) {
        // A failed sync may have made even the running system lose what was written.
        let lostPages = node.disk.pageDrops != node.pageDrops
        node.end = end == .killed && lostPages ? .powerCut : end
        node.process = nil
        node.startsAt = clock.monotonicNanoseconds + UInt64(random.below(4_000)) * 1_000_000
    }

    private func kill(_ node: SimNode) {
        guard node.process != nil else { return }
        say("node \(node.number) is killed")
        tally.kills += 1
        ended(node, .killed)
        node.disk.processKill()
        network.processEnded(node.number)
    }

    private func powerCut(_ node: SimNode) {
        say("power cut at node \(node.number)")
        tally.powerCuts += 1
        ended(node, .powerCut)
        node.disk.powerCut()
        network.machineEnded(node.number)
    }

    private func stop(_ node: SimNode) {
        guard let process = node.process, !process.writer.isFailing else { return }
        guard process.close(), !node.disk.isOff else {
            if node.disk.isOff { powerCut(node) } else { kill(node) }
            return
        }
        say("node \(node.number) stops")
        tally.cleanStops += 1
        ended(node, .clean)
        node.disk.processKill()
        network.processEnded(node.number)
    }

    private func wipe(_ node: SimNode) {
        say("node \(node.number) loses its disk")
        tally.wipes += 1
        if node.process != nil { network.machineEnded(node.number) }
        ended(node, .powerCut)
        node.startsAt = clock.monotonicNanoseconds + UInt64(random.below(1_000)) * 1_000_000
        node.wipe(seed: random.next())
        judge.forgot(node.number)
        node.isWiped = true
    }

    func condemn(_ node: SimNode) { condemned.append(node) }

    /// A full resync that was not needed. Where a history forks is told to nobody, so a replica may know less of its own
    /// log than it could.
    func needless(_ text: String, isForkUnknown: Bool) {
        say(text)
        if isForkUnknown { tally.unknownForks += 1 } else { judge.fail(text) }
    }

    // MARK: What goes wrong

    private func disturb() {
        guard random.oneIn(25) else { return }
        let node = nodes[random.below(nodes.count)]
        switch random.below(10) {
        case 0, 1:
            if weather.kills { kill(node) }
        case 2:
            if weather.powerCuts, node.process != nil { powerCut(node) }
        case 3:
            if weather.powerCuts {
                node.disk.powerFails(atCall: node.disk.calls + random.within(1...30))
            }
        case 4:
            if weather.kills { stop(node) }
        case 5, 6:
            if weather.cuts {
                tally.cuts += 1
                network.cutOne()
            }
        case 7:
            guard weather.partitions else { break }
            let other = nodes[random.below(nodes.count)].number
            if random.oneIn(2) {
                network.heal()
            } else if random.oneIn(2) {
                tally.partitions += 1
                for peer in nodes where peer !== node { network.sever(node.number, peer.number) }
            } else if other != node.number {
                tally.partitions += 1
                network.sever(node.number, other)
            }
        case 8:
            if weather.diskFaults {
                node.disk.setFaultRate([0, 0, 100, 1_000][random.below(4)])
                if random.oneIn(2) { node.disk.setFaultRate(0) }
            }
        default:
            if weather.chains { rewire() }
            if weather.wipes, random.oneIn(2) { wipeSomebody() }
        }
    }

    /// A disk is lost where another node has all that was promised.
    private func wipeSomebody() {
        guard !nodes.contains(where: \.isWiped) else { return }
        let node = random.oneIn(2) ? nodes[leader] : nodes[random.below(nodes.count)]
        let end = nodes[leader].process?.end ?? .zero
        let others = nodes.compactMap(\.process).filter { $0.node !== node && $0.end >= end }
        guard end > .zero, !others.isEmpty else { return }
        wipe(node)
    }

    // MARK: Whoever looks after them

    /// Some replica follows another one.
    private func rewire() {
        let node = nodes[random.below(nodes.count)]
        guard node.number != leader, !isEnding, node.primary != nil else { return }
        let other = nodes[random.below(nodes.count)]
        // No rings.
        var next: Int? = other.number
        while let number = next {
            if number == node.number { return }
            next = nodes[number].primary
        }
        point(node, to: other.number)
    }

    private func point(_ node: SimNode, to primary: Int) {
        guard node.number != primary, node.primary != primary, let process = node.process else {
            return
        }
        say("node \(node.number) is told to follow node \(primary)")
        node.primary = primary
        node.isWiped = false
        process.follow(primary)
    }

    /// As a Sentinel would: promotes when the primary is gone for a while, and tells everybody who follows somebody
    /// else.
    private func operate() {
        let now = clock.monotonicNanoseconds
        let node = nodes[leader]
        let isUp = node.process != nil && !node.isWiped && isReachable(node)
        if isUp {
            leaderLostAt = nil
        } else if leaderLostAt == nil {
            leaderLostAt = now
        }
        if weather.promotions || isEnding && (node.isWiped) {
            let isDue = leaderLostAt.map { now - $0 > 1_500_000_000 } ?? false
            if isDue || weather.promotions && random.oneIn(2_000) { promoteSomebody() }
        }
        guard random.oneIn(10) else { return }
        let other = nodes[random.below(nodes.count)]
        guard other.number != leader, other.process != nil, isReachable(other) || isEnding else {
            return
        }
        if other.primary == nil || isEnding || !weather.chains { point(other, to: leader) }
    }

    /// Reached by most of the others.
    private func isReachable(_ node: SimNode) -> Bool {
        let others = nodes.filter { $0 !== node }
        return others.count { network.reaches(node.number, $0.number) } * 2 >= others.count
    }

    private func promoteSomebody() {
        let able = nodes.filter { node in
            guard let process = node.process, node.number != leader, !process.isPrimary,
                !node.isWiped, isReachable(node)
            else { return false }
            return process.end > .zero
        }
        guard let best = able.max(by: { ($0.process?.end ?? .zero) < ($1.process?.end ?? .zero) }),
            let process = best.process
        else { return }
        tally.promotions += 1
        best.primary = nil
        leader = best.number
        leaderLostAt = nil
        process.promote()
        say(
            "node \(best.number) is promoted at \(process.end): \(process.replication.histories.current)"
        )
    }
}

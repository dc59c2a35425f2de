import Foundation
import HoldfastPlatform
import TestSupport

/// A primary with replicas under load, and what can happen to them.
final class FaultStage {
    enum Fault: String, CaseIterable {
        case linkCut, linkClosed
        case replicaStopped, primaryStopped
        case replicaKilled, primaryKilled, bothKilled, allKilled
        case primaryKilledAndReplaced
        case placesChanged, replicaMoved, replicaPromotedAndBack
        case rewrite
    }

    final class Node {
        let ours: ServerProcess?
        let stock: StockServer?
        /// Whoever follows this server does so through it.
        let proxy: LinkProxy?
        let file: String
        /// Whom it follows; nil for the primary.
        var upstream: Int?
        /// How many times it may have taken all data.
        var fullCopies = 0

        init(ours: ServerProcess, file: String) throws {
            self.ours = ours
            self.file = file
            stock = nil
            proxy = try LinkProxy(to: ours.port)
        }

        init(stock: StockServer) {
            self.stock = stock
            ours = nil
            proxy = nil
            file = ""
        }

        func connect() throws -> RESPConnection {
            if let stock { return try stock.connect() }
            guard let ours else { preconditionFailure("a server of neither kind") }
            return try ours.connect()
        }

        var log: String { ours?.log ?? stock?.log ?? "" }
        var processIdentifier: Int32 {
            ours?.processIdentifier ?? stock?.processIdentifier ?? 0
        }
        var fullCopiesTaken: Int {
            log.components(separatedBy: "Full resync from master").count - 1
        }
    }

    let load: FaultLoad
    private(set) var nodes: [Node] = []
    private(set) var primary = 0
    /// What happened, in order.
    private(set) var story: [String] = []
    private var random: PRNG

    init(seed: UInt64) throws {
        var random = PRNG(seed: seed)
        let policy = ["always", "everysec", "no"][random.below(3)]
        let segment = ["64kb", "64mb"][random.below(2)]
        let backlog = ["16kb", "1mb"][random.below(2)]
        let count = 2 + random.below(2)
        let hasStock = random.oneIn(4)
        self.random = random
        story = ["\(policy), segments of \(segment), backlog of \(backlog)"]
        var names: Set<String>?
        for _ in 0..<count {
            let folder = try TemporaryFolder()
            let file = folder.file("server.conf")
            try "".write(toFile: file, atomically: true, encoding: .utf8)
            let server = try ServerProcess(
                [
                    "--save", "", "--repl-diskless-sync-delay", "0", "--appendfsync", policy,
                    "--wal-segment-size", segment, "--repl-backlog-size", backlog,
                ], folder: folder, file: file)
            nodes.append(try Node(ours: server, file: file))
        }
        if hasStock {
            let stock = try StockServer(listensOnTCP: true)
            let known = try stock.connect().command("COMMAND", "LIST").items ?? []
            names = Set(known.compactMap { $0.text?.lowercased() })
            nodes.append(Node(stock: stock))
        }
        story.append("\(count) of ours\(hasStock ? " and a stock replica" : "")")
        load = try FaultLoad(seed: seed, names: names)
        try nodes[0].connect().command("DEBUG", "POPULATE", "300", "old", "50")
        for index in 1..<nodes.count {
            try follow(index, 0)
            nodes[index].fullCopies = 1
        }
        try waitForLinks()
        load.write(to: port(0))
    }

    deinit {
        // Nobody waits for one that is stopped.
        for node in nodes { kill(node.processIdentifier, SIGCONT) }
        load.stop()
        for node in nodes { node.proxy?.stop() }
    }

    // MARK: Parts

    private func port(_ index: Int) -> UInt16 { nodes[index].ours?.port ?? 0 }

    private var replicas: [Int] { nodes.indices.filter { $0 != primary } }
    private var ourReplicas: [Int] { replicas.filter { nodes[$0].ours != nil } }

    private func pick(_ indices: [Int]) -> Int { indices[random.below(indices.count)] }

    /// Lets a server follow another, also over a restart.
    private func follow(_ index: Int, _ target: Int) throws {
        guard let port = nodes[target].proxy?.port else {
            preconditionFailure("nobody follows a stock server here")
        }
        let connection = try nodes[index].connect()
        let reply = try connection.command("REPLICAOF", "127.0.0.1", "\(port)")
        guard !reply.isError else { throw Subprocess.Failed(description: "\(reply)") }
        nodes[index].upstream = target
        try keepRole(index, connection)
    }

    private func keepRole(_ index: Int, _ connection: RESPConnection) throws {
        if nodes[index].ours != nil { try connection.command("CONFIG", "REWRITE") }
    }

    private func waitForLinks() throws {
        for index in replicas { try nodes[index].connect().waitForLink(seconds: 60) }
    }

    private func waitForSteps() throws { try load.waitForSteps(random.within(1...20)) }

    /// No write that a client was told of is missing.
    private func checkAcknowledged(_ index: Int) throws {
        let missing = try load.missing(on: nodes[index].connect())
        if missing.isEmpty { return }
        throw Subprocess.Failed(
            description:
                "server \(index) lost \(missing.count) acknowledged writes: \(missing.prefix(20))")
    }

    // MARK: Faults

    /// Lets something happen that the seed says.
    func happen() throws {
        var fault = Fault.allCases[random.below(Fault.allCases.count)]
        // A stock replica may have more than those of ours that could take over.
        if fault == .primaryKilledAndReplaced, replicas.count > ourReplicas.count {
            fault = .primaryKilled
        }
        try waitForSteps()
        story.append(fault.rawValue)
        switch fault {
        case .linkCut:
            for _ in 0...random.below(3) { nodes[pick(upstreams)].proxy?.cut() }
        case .linkClosed:
            let proxy = nodes[pick(upstreams)].proxy
            proxy?.setOpen(false)
            try waitForSteps()
            proxy?.setOpen(true)
        case .replicaStopped:
            let process = nodes[pick(replicas)].processIdentifier
            kill(process, SIGSTOP)
            try waitForSteps()
            kill(process, SIGCONT)
        case .primaryStopped:
            let process = nodes[primary].processIdentifier
            kill(process, SIGSTOP)
            // A moment of any length.
            usleep(UInt32(random.below(300_000)))
            kill(process, SIGCONT)
        case .replicaKilled: try killAndStart([pick(ourReplicas)])
        case .primaryKilled: try killAndStart([primary])
        case .bothKilled: try killAndStart([primary, pick(ourReplicas)])
        case .allKilled: try killAndStart([primary] + ourReplicas)
        case .primaryKilledAndReplaced: try replacePrimary()
        case .placesChanged: try changePlaces()
        case .replicaMoved: try moveReplica()
        case .replicaPromotedAndBack: try promoteAndReturn()
        case .rewrite: try nodes[pick([primary] + ourReplicas)].connect().command("BGREWRITEAOF")
        }
        if random.oneIn(2) { try waitForLinks() }
    }

    private var upstreams: [Int] { Array(Set(nodes.compactMap(\.upstream))).sorted() }

    private func killAndStart(_ indices: [Int]) throws {
        for index in indices { nodes[index].ours?.kill() }
        if !indices.contains(primary), random.oneIn(2) { try waitForSteps() }
        for index in random.oneIn(2) ? indices : indices.reversed() {
            try nodes[index].ours?.start()
        }
        if indices.contains(primary) { try checkAcknowledged(primary) }
    }

    /// The primary dies; the replica that has most takes over; the old primary comes back as replica.
    private func replacePrimary() throws {
        try waitForLinks()
        let old = primary
        nodes[old].ours?.kill()
        // What it has answered is known to the clients then.
        try load.pause()
        for index in replicas where nodes[index].upstream == old {
            let connection = try nodes[index].connect()
            // All that has arrived is applied then.
            try connection.waitFor("the link's end") {
                try connection.info("master_link_status") == "down"
            }
        }
        let offsets = try replicas.map { index in
            (index, Int(try nodes[index].connect().info("slave_repl_offset") ?? "") ?? -1)
        }
        guard let new = offsets.max(by: { $0.1 < $1.1 })?.0 else { return }
        let connection = try nodes[new].connect()
        try connection.command("REPLICAOF", "NO", "ONE")
        try keepRole(new, connection)
        primary = new
        nodes[new].upstream = nil
        for index in replicas where index != old { try follow(index, new) }
        load.forgetUnconfirmed()
        try checkAcknowledged(new)
        load.write(to: port(new))
        try waitForSteps()

        // It may have written what nobody else ever got.
        guard let proxy = nodes[new].proxy else { return }
        proxy.setOpen(false)
        let text = try String(contentsOfFile: nodes[old].file, encoding: .utf8)
        try (text + "\nreplicaof 127.0.0.1 \(proxy.port)\n")
            .write(toFile: nodes[old].file, atomically: true, encoding: .utf8)
        try nodes[old].ours?.start()
        nodes[old].upstream = new
        let end = Int(try nodes[old].connect().info("slave_repl_offset") ?? "") ?? 0
        let common = Int(try connection.info("second_repl_offset") ?? "") ?? 0
        if end >= common {
            nodes[old].fullCopies += 1
            story.append("\(end - common + 1) bytes were only on the old primary")
        }
        proxy.setOpen(true)
        try waitForLinks()
    }

    /// The primary and a replica change places while clients write.
    private func changePlaces() throws {
        try waitForLinks()
        let old = primary
        let new = pick(ourReplicas.filter { nodes[$0].upstream == old })
        let (before, after) = (try nodes[old].connect(), try nodes[new].connect())
        let reply = try before.command(
            "FAILOVER", "TO", "127.0.0.1", "\(port(new))", "TIMEOUT", "30000")
        guard !reply.isError else { throw Subprocess.Failed(description: "\(reply)") }
        try after.waitFor("the new primary", seconds: 40) { try after.info("role") == "master" }
        try before.waitFor("the failover's end", seconds: 40) {
            try before.info("master_failover_state") == "no-failover"
        }
        primary = new
        nodes[new].upstream = nil
        try keepRole(new, after)
        // Through the proxy, not directly.
        try follow(old, new)
        for index in replicas where random.oneIn(2) { try follow(index, new) }
        load.write(to: port(new))
        try checkAcknowledged(new)
    }

    /// A replica follows another replica, or comes back from there.
    ///
    /// Not while it is away from a history that has ended: a sibling that was behind then doesn't know how far that
    /// went.
    private func moveReplica() throws {
        try waitForLinks()
        let index = pick(replicas)
        let targets = nodes.indices.filter { target in
            var above: Int? = target
            while let step = above, step != index { above = nodes[step].upstream }
            return nodes[target].ours != nil && above == nil && target != nodes[index].upstream
        }
        if targets.isEmpty { return }
        try follow(index, pick(targets))
    }

    /// A replica is made a primary for a moment, in which nobody writes there.
    private func promoteAndReturn() throws {
        let index = pick(ourReplicas)
        guard let upstream = nodes[index].upstream else { return }
        let connection = try nodes[index].connect()
        // A primary deletes what has expired, and that is a write.
        try connection.command("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        try connection.command("REPLICAOF", "NO", "ONE")
        try follow(index, upstream)
        try connection.command("DEBUG", "SET-ACTIVE-EXPIRE", "1")
    }

    // MARK: The end

    /// Lets everybody catch up, and tells what is wrong then.
    func judge() throws -> [String] {
        try load.pause()
        var wrong: [String] = []
        let connection = try nodes[primary].connect()
        for index in replicas {
            let replica = try nodes[index].connect()
            do {
                try replica.waitToCatchUp(with: connection, seconds: 60)
                // Keys expire between the two digests.
                try replica.waitFor("the same data", seconds: 10) {
                    try replica.command("DEBUG", "DIGEST") == connection.command("DEBUG", "DIGEST")
                }
            } catch {
                let differences = try DataSet(of: connection)
                    .differences(from: DataSet(of: replica), encodings: false)
                wrong.append(
                    "server \(index): \(error)\n\(differences.prefix(20).map { $0.prefix(500) })")
            }
            let missing = try load.missing(on: replica)
            if !missing.isEmpty { wrong.append("server \(index) lacks \(missing.prefix(20))") }
        }
        for (index, node) in nodes.enumerated() where node.fullCopiesTaken != node.fullCopies {
            wrong.append(
                "server \(index) took all data \(node.fullCopiesTaken) times, not \(node.fullCopies)"
            )
        }
        for (index, node) in nodes.enumerated() where node.log.contains("CRITICAL") {
            let lines = node.log.split(separator: "\n").filter { $0.contains("CRITICAL") }
            wrong.append("server \(index): \(lines.prefix(3))")
        }
        let missing = try load.missing(on: connection)
        if !missing.isEmpty { wrong.append("the primary lacks \(missing.prefix(20))") }
        if load.acknowledgedCount == 0 { wrong.append("nothing was written") }
        return wrong
    }

    /// For who looks for the reason.
    var logs: String {
        nodes.enumerated().map {
            "--- server \($0), port \(port($0)), pid \($1.processIdentifier)\n\($1.log)"
        }
        .joined(separator: "\n")
    }
}

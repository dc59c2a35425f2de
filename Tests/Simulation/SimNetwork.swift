internal import HoldfastBytes
internal import HoldfastPlatform
internal import TestSupport

/// Byte streams between nodes: in order, late, in pieces of any size; cut so that an end learns of it late or never.
final class SimNetwork {
    /// One direction.
    struct Lane {
        var parts: [(at: UInt64, bytes: [UInt8])] = []
        var held = 0
        var lastAt: UInt64 = 0
        /// Nothing more comes.
        var hasEnded = false
    }

    final class Connection {
        let ends: [Int]
        var lanes = [Lane(), Lane()]
        /// When an end notices that the connection is gone; nil for never.
        var noticedAt: [UInt64?] = [nil, nil]
        var isCut = false
        /// Of the replica that has come by it; see `SimNode.dataNumber`.
        var dataNumber = 0

        init(_ from: Int, _ to: Int) { ends = [from, to] }
    }

    private(set) var random: PRNG
    private let clock: SimClock
    private var connections: [Connection] = []
    /// Connections that a node has not accepted yet.
    private var arrivals: [[SimSocket]]
    /// Pairs of nodes that don't reach each other, as `lower * count + higher`.
    private var severed: Set<Int> = []
    private let count: Int
    /// What a socket takes before its reader takes it out.
    let roomBytes: Int

    init(count: Int, seed: UInt64, clock: SimClock) {
        self.count = count
        self.clock = clock
        random = PRNG(seed: seed)
        arrivals = Array(repeating: [], count: count)
        roomBytes = [300, 2_000, 20_000, 200_000][random.below(4)]
    }

    var now: UInt64 { clock.monotonicNanoseconds }

    private func pair(_ one: Int, _ other: Int) -> Int {
        min(one, other) * count + max(one, other)
    }

    func reaches(_ one: Int, _ other: Int) -> Bool { !severed.contains(pair(one, other)) }
    func sever(_ one: Int, _ other: Int) { severed.insert(pair(one, other)) }
    func heal() { severed = [] }
    func heal(_ one: Int, _ other: Int) { severed.remove(pair(one, other)) }

    // MARK: Making and ending

    func connect(_ from: Int, to: Int) -> SimSocket {
        let connection = Connection(from, to)
        connections.append(connection)
        arrivals[to].append(SimSocket(self, connection, side: 1))
        return SimSocket(self, connection, side: 0)
    }

    func accept(_ node: Int) -> [SimSocket] {
        defer { arrivals[node] = [] }
        return arrivals[node]
    }

    /// One of the connections that stand breaks.
    func cutOne() {
        let standing = connections.filter { !$0.isCut }
        guard !standing.isEmpty else { return }
        cut(standing[random.below(standing.count)])
    }

    private func cut(_ connection: Connection) {
        connection.isCut = true
        for side in 0...1 {
            // Of what is on its way any part still arrives.
            var kept = random.below(connection.lanes[side].held + 1)
            var parts: [(at: UInt64, bytes: [UInt8])] = []
            for part in connection.lanes[side].parts where kept > 0 {
                parts.append((part.at, Array(part.bytes.prefix(kept))))
                kept -= min(kept, part.bytes.count)
            }
            connection.lanes[side].parts = parts
            connection.lanes[side].hasEnded = true
            if connection.noticedAt[side] == nil, !random.oneIn(3) {
                connection.noticedAt[side] = now + UInt64(random.below(3_000)) * 1_000_000
            }
        }
    }

    /// The process is gone: its kernel says so to the other ends.
    func processEnded(_ node: Int) {
        for socket in accept(node) { socket.close() }
        for connection in connections {
            for side in 0...1 where connection.ends[side] == node { close(connection, side) }
        }
    }

    /// The machine is gone: nobody is told.
    func machineEnded(_ node: Int) {
        arrivals[node] = []
        for connection in connections where connection.ends.contains(node) {
            if !connection.isCut { cut(connection) }
        }
    }

    fileprivate func close(_ connection: Connection, _ side: Int) {
        guard !connection.isCut else { return }
        connection.isCut = true
        let other = 1 - side
        connection.lanes[side].hasEnded = true
        // A reset takes what is on its way along.
        if random.oneIn(2) { connection.lanes[side].parts = [] }
        connection.lanes[other] = Lane(hasEnded: true)
        connection.noticedAt[other] = now + delay()
        connection.noticedAt[side] = now
    }

    private func delay() -> UInt64 {
        let most = random.oneIn(20) ? 400 : random.oneIn(3) ? 40 : 3
        return UInt64(random.below(most)) * 1_000_000
    }

    // MARK: Bytes

    /// How many bytes were taken; nil if the connection is known to be gone.
    fileprivate func write(_ connection: Connection, _ side: Int, _ bytes: [UInt8]) -> Int? {
        if let at = connection.noticedAt[side], connection.isCut, at <= now { return nil }
        let taken = min(bytes.count, roomBytes - connection.lanes[side].held)
        guard taken > 0 else { return 0 }
        // Into the void, which fills up as well.
        connection.lanes[side].held += taken
        if connection.isCut { return taken }
        let at = max(connection.lanes[side].lastAt, now + delay())
        connection.lanes[side].lastAt = at
        connection.lanes[side].parts.append((at, Array(bytes[..<taken])))
        return taken
    }

    /// Some bytes that have come, none if there are none; nil at the end.
    fileprivate func read(_ connection: Connection, _ side: Int, _ limit: Int) -> [UInt8]? {
        let lane = 1 - side
        let isOpen = reaches(connection.ends[0], connection.ends[1])
        var bytes: [UInt8] = []
        var wanted = random.oneIn(3) ? random.within(1...min(limit, 200)) : limit
        while isOpen, wanted > 0, let part = connection.lanes[lane].parts.first, part.at <= now {
            let taken = part.bytes.prefix(wanted)
            bytes += taken
            wanted -= taken.count
            connection.lanes[lane].held -= taken.count
            if taken.count == part.bytes.count {
                connection.lanes[lane].parts.removeFirst()
            } else {
                connection.lanes[lane].parts[0].bytes.removeFirst(taken.count)
            }
        }
        if bytes.isEmpty, connection.isCut, connection.lanes[lane].parts.isEmpty || !isOpen,
            let at = connection.noticedAt[side], at <= now, isOpen || random.oneIn(50)
        {
            return nil
        }
        return bytes
    }

    /// Forgets connections that nobody uses.
    func tidy(using used: [SimSocket]) {
        let kept = Set(used.map { ObjectIdentifier($0.connection) })
        connections.removeAll { connection in
            connection.isCut && !kept.contains(ObjectIdentifier(connection))
                && !arrivals.joined().contains { $0.connection === connection }
        }
    }
}

/// One end of a connection.
final class SimSocket {
    fileprivate let connection: SimNetwork.Connection
    private unowned let network: SimNetwork
    private let side: Int

    init(_ network: SimNetwork, _ connection: SimNetwork.Connection, side: Int) {
        self.network = network
        self.connection = connection
        self.side = side
    }

    var peer: Int { connection.ends[1 - side] }

    var dataNumber: Int {
        get { connection.dataNumber }
        set { connection.dataNumber = newValue }
    }

    func write(_ bytes: [UInt8]) -> Int? { network.write(connection, side, bytes) }
    func write(_ bytes: ByteSlice) -> Int? {
        // More than the room is never taken.
        write(bytes.prefix(network.roomBytes).copyToArray())
    }
    func read(_ limit: Int) -> [UInt8]? { network.read(connection, side, limit) }
    func close() { network.close(connection, side) }
}

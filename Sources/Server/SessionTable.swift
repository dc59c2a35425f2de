/// All sessions, by descriptor and by id.
struct SessionTable {
    private var byDescriptor: [Session?] = []
    private var byID: [Int64: Session] = [:]
    private(set) var count = 0
    private var nextID: Int64 = 1

    mutating func makeID() -> Int64 {
        defer { nextID += 1 }
        return nextID
    }

    mutating func add(_ session: Session) {
        let slot = Int(session.descriptor)
        while byDescriptor.count <= slot { byDescriptor.append(nil) }
        byDescriptor[slot] = session
        byID[session.id] = session
        count += 1
    }

    mutating func remove(_ session: Session) {
        byDescriptor[Int(session.descriptor)] = nil
        byID[session.id] = nil
        count -= 1
    }

    /// The session that a poller's token names, unless it is gone.
    func session(token: UInt64) -> Session? {
        let slot = Int(token & 0xFFFF_FFFF)
        guard slot < byDescriptor.count, let session = byDescriptor[slot], session.token == token
        else { return nil }
        return session
    }

    func session(id: Int64) -> Session? { byID[id] }

    /// All sessions, oldest descriptors first.
    var all: [Session] { byDescriptor.compactMap { $0 } }
}

internal import Glibc
internal import HoldfastPlatform

/// A file's bytes, apart from its names.
final class SimInode {
    enum Change {
        case write(at: Int, [UInt8])
        case truncate(Int)
    }

    /// What reads show.
    var seen: [UInt8] = []
    /// What the medium holds.
    var stable: [UInt8] = []
    /// What a sync would make stable, in order.
    var unsynced: [Change] = []
    /// Failed syncs so far; a handle reports those it hasn't seen.
    var errors = 0
    /// Room that counts against the quota.
    var allocated = 0

    static func apply(_ change: Change, to bytes: inout [UInt8]) {
        switch change {
        case .write(let offset, let data):
            let end = offset + data.count
            if bytes.count < end {
                if bytes.count == offset {
                    bytes.append(contentsOf: data)
                    return
                }
                bytes.append(contentsOf: repeatElement(0, count: end - bytes.count))
            }
            bytes.replaceSubrange(offset..<end, with: data)
        case .truncate(let size):
            if size <= bytes.count {
                bytes.removeLast(bytes.count - size)
            } else {
                bytes.append(contentsOf: repeatElement(0, count: size - bytes.count))
            }
        }
    }
}

/// The state of a `SimDisk`; see there for the rules.
struct SimDiskState {
    enum Node {
        case file(SimInode)
        case folder
    }

    enum NameChange {
        case set(String, Node)
        case unset(String)
        case rename(from: String, to: String, Node)
    }

    var random: PRNG
    var quota: Int?
    var live: [String: Node] = [:]
    var stable: [String: Node] = [:]
    /// Unsynced name changes by folder, in order.
    var pendingNames: [String: [NameChange]] = [:]
    var locks: Set<String> = []
    var used = 0
    var generation = 0
    var trace: ((String) -> Void)?
    var calls = 0
    var pageDrops = 0
    var faults: [Int: SimFault] = [:]
    var faultRate = 0
    var powerFailsAt: Int?
    var isOff = false

    init(random: PRNG, quota: Int?) {
        self.random = random
        self.quota = quota
    }

    func file(_ path: String) -> SimInode? {
        if case .file(let inode) = live[path] { return inode }
        return nil
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "" }
        return String(path[..<slash])
    }

    // MARK: Faults

    func checkPower(_ call: String, _ path: String) throws(SystemError) {
        if isOff { throw SystemError(call: call, path: path, errno: EIO) }
    }

    /// Counts a call; gives the fault it meets, which is a power failure if `isOff` is set then.
    private mutating func meet(_ call: String, _ path: String) throws(SystemError) -> SimFault? {
        try checkPower(call, path)
        calls += 1
        let fault = drawFault()
        if let trace {
            trace("\(calls): \(call) \(path)\(fault.map { " -> \($0)" } ?? "")")
        }
        return fault
    }

    private mutating func drawFault() -> SimFault? {
        if calls == powerFailsAt {
            isOff = true
            return .error(EIO)
        }
        if let fault = faults.removeValue(forKey: calls) { return fault }
        if faultRate > 0 && random.below(10_000) < faultRate {
            switch random.below(4) {
            case 0: return .short
            case 1: return .error(ENOSPC)
            default: return .error(EIO)
            }
        }
        return nil
    }

    private mutating func coin() -> Bool { random.next() & 1 == 0 }

    // MARK: Names

    mutating func open(_ path: String, _ mode: OpenMode) throws(SystemError) -> SimInode {
        if case .error(let errno) = try meet("open", path) {
            throw SystemError(call: "open", path: path, errno: errno)
        }
        func fail(_ errno: Int32) -> SystemError {
            SystemError(call: "open", path: path, errno: errno)
        }
        switch (live[path], mode) {
        case (.folder, _): throw fail(EISDIR)
        case (.file, .createNew): throw fail(EEXIST)
        case (.file(let inode), .createOrTruncate):
            change(inode, .truncate(0))
            return inode
        case (.file(let inode), _): return inode
        case (nil, .read), (nil, .readWrite): throw fail(ENOENT)
        case (nil, .createOrTruncate), (nil, .createNew):
            let folder = Self.folder(of: path)
            guard case .folder = live[folder] else { throw fail(ENOENT) }
            let inode = SimInode()
            setName(.set(path, .file(inode)), in: folder)
            return inode
        }
    }

    /// What a lock on `path` opens: the folder itself, or a file that is made if missing.
    mutating func lockable(_ path: String) throws(SystemError) -> SimInode {
        switch live[path] {
        case .folder: return SimInode()
        case .file: return try open(path, .readWrite)
        case nil: return try open(path, .createNew)
        }
    }

    private static func apply(_ change: NameChange, to names: inout [String: Node]) {
        switch change {
        case .set(let name, let node): names[name] = node
        case .unset(let name): names[name] = nil
        case .rename(let from, let to, let node):
            names[from] = nil
            names[to] = node
        }
    }

    private mutating func setName(_ change: NameChange, in folder: String) {
        Self.apply(change, to: &live)
        pendingNames[folder, default: []].append(change)
    }

    mutating func list(_ folder: String) throws(SystemError) -> [String] {
        try checkPower("opendir", folder)
        guard case .folder = live[folder] else {
            throw SystemError(call: "opendir", path: folder, errno: ENOENT)
        }
        let prefix = folder + "/"
        return live.keys.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
            .filter { !$0.contains("/") }.sorted()
    }

    mutating func createFolder(_ path: String) throws(SystemError) {
        if case .error(let errno) = try meet("mkdir", path) {
            throw SystemError(call: "mkdir", path: path, errno: errno)
        }
        if live[path] != nil { throw SystemError(call: "mkdir", path: path, errno: EEXIST) }
        setName(.set(path, .folder), in: Self.folder(of: path))
    }

    mutating func rename(_ from: String, _ to: String) throws(SystemError) {
        let fault = try meet("rename", from)
        guard let node = live[from] else {
            throw SystemError(call: "rename", path: from, errno: ENOENT)
        }
        if case .error(let errno) = fault {
            // Whether a rename that failed took place is anybody's guess.
            if coin() { move(node, from, to) }
            throw SystemError(call: "rename", path: from, errno: errno)
        }
        move(node, from, to)
    }

    private mutating func move(_ node: Node, _ from: String, _ to: String) {
        if let replaced = file(to) { release(replaced) }
        setName(.rename(from: from, to: to, node), in: Self.folder(of: to))
    }

    mutating func remove(_ path: String) throws(SystemError) {
        if case .error(let errno) = try meet("unlink", path) {
            throw SystemError(call: "unlink", path: path, errno: errno)
        }
        guard live[path] != nil else {
            throw SystemError(call: "unlink", path: path, errno: ENOENT)
        }
        if let inode = file(path) { release(inode) }
        setName(.unset(path), in: Self.folder(of: path))
    }

    private mutating func release(_ inode: SimInode) {
        used -= inode.allocated
        inode.allocated = 0
    }

    mutating func syncFolder(_ path: String) throws(SystemError) {
        let fault = try meet("fsync", path)
        guard case .folder = live[path] else {
            throw SystemError(call: "fsync", path: path, errno: ENOENT)
        }
        let changes = pendingNames.removeValue(forKey: path) ?? []
        if case .error(let errno) = fault {
            // A journal writes in order, and keeps what it couldn't write.
            let through = isOff ? 0 : random.below(changes.count + 1)
            for change in changes[..<through] { Self.apply(change, to: &stable) }
            pendingNames[path] = Array(changes[through...])
            throw SystemError(call: "fsync", path: path, errno: errno)
        }
        for change in changes { Self.apply(change, to: &stable) }
    }

    // MARK: Bytes

    private mutating func change(_ inode: SimInode, _ change: SimInode.Change) {
        SimInode.apply(change, to: &inode.seen)
        inode.unsynced.append(change)
        account(inode, inode.seen.count)
    }

    private mutating func account(_ inode: SimInode, _ bytes: Int) {
        used += bytes - inode.allocated
        inode.allocated = bytes
    }

    mutating func write(
        _ inode: SimInode, _ path: String, _ data: [UInt8], at offset: Int
    ) throws(SystemError) -> Int {
        let fault = try meet("pwritev", path)
        var taken = data.count
        switch fault {
        case .error(let errno):
            let part = random.below(data.count + 1)
            if part > 0 && coin() {
                change(inode, .write(at: offset, Array(data[..<part])))
            }
            throw SystemError(call: "pwritev", path: path, errno: errno)
        case .short: taken = max(1, random.below(data.count))
        case nil: break
        }
        if let quota {
            let room = quota - used + inode.allocated - offset
            if room <= 0 { throw SystemError(call: "pwritev", path: path, errno: ENOSPC) }
            taken = min(taken, room)
        }
        change(inode, .write(at: offset, taken == data.count ? data : Array(data[..<taken])))
        return taken
    }

    mutating func truncate(
        _ inode: SimInode, _ path: String, to size: Int
    ) throws(SystemError) {
        if case .error(let errno) = try meet("ftruncate", path) {
            throw SystemError(call: "ftruncate", path: path, errno: errno)
        }
        if let quota, size - inode.allocated > quota - used {
            throw SystemError(call: "ftruncate", path: path, errno: ENOSPC)
        }
        change(inode, .truncate(size))
    }

    mutating func reserve(
        _ inode: SimInode, _ path: String, upTo size: Int
    ) throws(SystemError) {
        if case .error(let errno) = try meet("fallocate", path) {
            throw SystemError(call: "fallocate", path: path, errno: errno)
        }
        if size <= inode.allocated { return }
        if let quota, size - inode.allocated > quota - used {
            throw SystemError(call: "fallocate", path: path, errno: ENOSPC)
        }
        account(inode, size)
    }

    mutating func sync(_ inode: SimInode, _ path: String) throws(SystemError) {
        if case .error(let errno) = try meet("fdatasync", path) {
            if !isOff {
                inode.errors += 1
                for change in inode.unsynced where coin() {
                    SimInode.apply(change, to: &inode.stable)
                }
                inode.unsynced = []
                if coin() {
                    pageDrops += 1
                    inode.seen = inode.stable
                    account(inode, inode.seen.count)
                }
            }
            throw SystemError(call: "fdatasync", path: path, errno: errno)
        }
        for change in inode.unsynced { SimInode.apply(change, to: &inode.stable) }
        inode.unsynced.removeAll(keepingCapacity: true)
    }

    // MARK: Power

    mutating func dropHandles() {
        generation += 1
        locks = []
        faults = [:]
        faultRate = 0
        powerFailsAt = nil
        isOff = false
    }

    mutating func powerCut() {
        dropHandles()
        // How much of the unsynced is lucky, of 0 to 4 quarters; each file and name draws anew below.
        let luck = random.below(5)
        func survives(_ random: inout PRNG) -> Bool { random.below(4) < luck }
        for folder in pendingNames.keys.sorted() {
            for change in pendingNames[folder] ?? [] where survives(&random) {
                Self.apply(change, to: &stable)
            }
        }
        pendingNames = [:]
        for path in stable.keys.sorted() {
            let folder = Self.folder(of: path)
            if folder == "" { continue }
            guard case .folder = stable[folder] else {
                stable[path] = nil
                continue
            }
        }
        live = stable
        used = 0
        for path in live.keys.sorted() {
            guard let inode = file(path) else { continue }
            settle(inode, luck)
            inode.allocated = inode.seen.count
            used += inode.allocated
        }
    }

    /// Lets any part of a file's unsynced changes reach the medium.
    private mutating func settle(_ inode: SimInode, _ luck: Int) {
        let sector = 512
        for change in inode.unsynced {
            guard case .write(let offset, let data) = change else {
                if random.below(4) < luck { SimInode.apply(change, to: &inode.stable) }
                continue
            }
            var from = 0
            while from < data.count {
                let next = min(data.count, ((offset + from) / sector + 1) * sector - offset)
                if random.below(4) < luck {
                    SimInode.apply(
                        .write(at: offset + from, Array(data[from..<next])), to: &inode.stable)
                }
                from = next
            }
        }
        // The size may have been written where the bytes weren't.
        if inode.seen.count > inode.stable.count && random.oneIn(3) {
            let grown = inode.stable.count + random.below(inode.seen.count - inode.stable.count + 1)
            SimInode.apply(.truncate(grown), to: &inode.stable)
        }
        inode.unsynced = []
        inode.seen = inode.stable
    }

    mutating func install(_ path: String, _ bytes: [UInt8]) {
        let inode = SimInode()
        inode.seen = bytes
        inode.stable = bytes
        account(inode, bytes.count)
        live[path] = .file(inode)
        stable[path] = .file(inode)
        let folder = Self.folder(of: path)
        if folder != "" && live[folder] == nil {
            live[folder] = .folder
            stable[folder] = .folder
        }
    }

    /// Puts a folder in place, stable at once.
    mutating func installFolder(_ path: String) {
        live[path] = .folder
        stable[path] = .folder
    }
}

internal import Glibc
internal import HoldfastPlatform
internal import Synchronization

/// Room kept free so that the log's tail can still be written when the disk is full: a file that is
/// given up when a write meets ENOSPC, and taken again when there is room for it three times over.
///
/// Growing writes are refused while less than the reserve's size is free beside it, and allowed again
/// when twice as much is.
final class DiskReserve: @unchecked Sendable {
    // Sendable because the state is read and changed with `monitor` held; I/O happens outside of it.
    static let name = "holdfast.reserve"

    private let monitor = Monitor()
    private let path: String
    private var isHeld = false
    private var isMoving = false
    private var mayGrow = true
    private var wantedBytes: Int64

    /// - Parameter bytes: how much to keep; at most a tenth of what is free is taken.
    init(folder: String, bytes: Int64) {
        path = "\(folder)/\(Self.name)"
        wantedBytes = max(0, bytes)
    }

    var growthAllowed: Bool { monitor.withLock { mayGrow } }

    /// Sizes the reserve to the disk and takes it. A disk that can't reserve has none.
    func open(_ folder: String, on fileSystem: any FileSystem) {
        do throws(SystemError) {
            // One left from before is made anew: its size may not suit any more.
            if try fileSystem.kind(of: path) != nil { try fileSystem.remove(path) }
            let free = try fileSystem.freeBytes(at: folder)
            monitor.withLock { wantedBytes = min(wantedBytes, free / 10) }
        } catch {
            // Not fatal: without figures there is no reserve, and a full disk is met when it comes.
            monitor.withLock { wantedBytes = 0 }
        }
        take(on: fileSystem)
    }

    private func take(on fileSystem: any FileSystem) {
        let size = monitor.withLock {
            if isHeld || isMoving || wantedBytes == 0 { return Int64(0) }
            isMoving = true
            return wantedBytes
        }
        if size == 0 { return }
        var isTaken = false
        do throws(SystemError) {
            let file = try fileSystem.open(path, .createOrTruncate)
            defer { file.close() }
            do throws(SystemError) {
                try file.reserve(upTo: size)
                isTaken = true
            } catch {
                // Too full, or a file system that can't reserve: nothing half-taken stays.
                try fileSystem.remove(path)
            }
        } catch {
            isTaken = false
        }
        monitor.withLock {
            isHeld = isTaken
            isMoving = false
        }
    }

    /// Gives the reserve back to the disk; false if there was none.
    func release(on fileSystem: any FileSystem) -> Bool {
        let isOurs = monitor.withLock {
            mayGrow = wantedBytes == 0
            if !isHeld || isMoving { return false }
            isHeld = false
            isMoving = true
            return true
        }
        if !isOurs { return false }
        var isReleased = true
        do throws(SystemError) { try fileSystem.remove(path) } catch { isReleased = false }
        monitor.withLock { isMoving = false }
        return isReleased
    }

    /// Reads the free space, decides about growth, and takes the reserve back if there is plenty.
    func probe(_ folder: String, on fileSystem: any FileSystem) -> Int64? {
        let free: Int64
        do throws(SystemError) { free = try fileSystem.freeBytes(at: folder) } catch { return nil }
        let wantsReserve = monitor.withLock {
            if wantedBytes > 0 {
                let beside = isHeld ? free : free - wantedBytes
                if beside < wantedBytes {
                    mayGrow = false
                } else if beside >= 2 * wantedBytes {
                    mayGrow = true
                }
            }
            return !isHeld && free >= 3 * wantedBytes
        }
        if wantsReserve { take(on: fileSystem) }
        return free
    }
}

extension SystemError {
    static let noSpace = ENOSPC
    static let overQuota = EDQUOT
}

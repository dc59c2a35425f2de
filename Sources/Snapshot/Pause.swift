internal import Glibc

/// The sleeps that tests ask for, to have something happen in the middle of a file.
enum Pause {
    /// - Parameter delay: µs after each key; below 0, 1 µs after so many keys.
    static func afterKey(_ delay: Int, count: Int) {
        if delay > 0 {
            _ = usleep(UInt32(clamping: delay))
        } else if delay < 0, count % -delay == 0 {
            _ = usleep(1)
        }
    }
}

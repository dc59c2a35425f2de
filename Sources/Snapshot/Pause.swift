internal import Glibc

/// The sleeps that tests ask for, to have something happen in the middle of a file.
enum Pause {
    /// - Parameter delay: µs after each key; below 0, 1 µs after so many keys.
    /// - Parameter isCancelled: asked now and then, so that nobody waits for the end of a long sleep.
    static func afterKey(_ delay: Int, count: Int, isCancelled: () -> Bool = { false }) {
        if delay > 0 {
            var left = delay
            while left > 0, !isCancelled() {
                let slice = min(left, 5_000)
                _ = usleep(UInt32(slice))
                left -= slice
            }
        } else if delay < 0, count % -delay == 0 {
            _ = usleep(1)
        }
    }
}

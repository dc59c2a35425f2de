internal import CJemalloc
internal import Server

#if canImport(Glibc)
    internal import Glibc
#endif

/// The figures of jemalloc, which this program links in place of the C library's allocator.
struct JemallocStatistics: AllocatorStatistics {
    let name = "jemalloc-5.3.0"

    func read() -> (allocated: Int, active: Int, resident: Int, retained: Int) {
        // jemalloc caches its figures; writing the epoch takes new ones.
        var epoch: UInt64 = 1
        // SAFETY: `epoch` is a u64 in and out, of the size given.
        unsafe _ = mallctl("epoch", nil, nil, &epoch, MemoryLayout<UInt64>.size)
        return (
            value("stats.allocated"), value("stats.active"), value("stats.resident"),
            value("stats.retained")
        )
    }

    private func value(_ name: String) -> Int {
        var result = 0
        var size = MemoryLayout<Int>.size
        // SAFETY: these statistics are size_t, which is as long as Int.
        unsafe _ = mallctl(name, &result, &size, nil, 0)
        return result
    }

    /// Pages that were freed go back to the system after this long, much less than jemalloc has it: splitting
    /// the pages of a growing table leaves many behind.
    func limitDecay() {
        var milliseconds = 300
        // SAFETY: the settings are ssize_t, which is as long as Int; arenas that aren't there are refused.
        unsafe _ = mallctl(
            "arenas.dirty_decay_ms", nil, nil, &milliseconds, MemoryLayout<Int>.size)
        for arena in 0..<value("opt.narenas") & 0xFFFF {
            unsafe _ = mallctl(
                "arena.\(arena).dirty_decay_ms", nil, nil, &milliseconds, MemoryLayout<Int>.size)
        }
    }

    func decay() {
        // SAFETY: 4096 stands for all arenas; the call takes no data.
        unsafe _ = mallctl("arena.4096.decay", nil, nil, nil, 0)
    }

    func purge() {
        // SAFETY: 4096 stands for all arenas; the call takes no data.
        unsafe _ = mallctl("arena.4096.purge", nil, nil, nil, 0)
    }
}

JemallocStatistics().limitDecay()
exit(HoldfastServer.run(Array(CommandLine.arguments.dropFirst()), allocator: JemallocStatistics()))

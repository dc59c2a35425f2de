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

    func purge() {
        // SAFETY: 4096 stands for all arenas; the call takes no data.
        unsafe _ = mallctl("arena.4096.purge", nil, nil, nil, 0)
    }
}

exit(HoldfastServer.run(Array(CommandLine.arguments.dropFirst()), allocator: JemallocStatistics()))

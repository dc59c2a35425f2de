internal import Engine
internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log
internal import Store

/// What the server occupies, in bytes, for INFO memory and MEMORY.
struct MemoryReport {
    /// Allocated by the program, in pages in use by the allocator, and resident of those.
    var used = 0
    var active = 0
    var resident = 0
    var peak = 0
    /// Used before any data was loaded.
    var start = 0
    /// Resident of the whole process.
    var processResident = 0
    var clients = 0
    var logBuffer = 0
    var tables = 0
    var keys = 0

    /// What isn't data.
    var overhead: Int { start + tables + clients + logBuffer }
    var dataset: Int { max(used - overhead, 0) }
    var datasetPercent: Double {
        used > start ? min(Double(dataset) * 100 / Double(used - start), 100) : 0
    }
    var peakPercent: Double { peak > 0 ? Double(used) * 100 / Double(peak) : 100 }
    var fragmentation: Double { ratio(active, used) }
    var allocatorRSS: Double { ratio(resident, active) }
    var overheadRSS: Double { ratio(processResident, resident) }
    var totalFragmentation: Double { ratio(processResident, used) }

    private func ratio(_ part: Int, _ whole: Int) -> Double {
        whole > 0 ? Double(part) / Double(whole) : 0
    }
}

extension ServerState {
    /// Databases that hold keys.
    var nonEmptyDatabases: [Int] {
        (0..<dispatcher.context.keyspace.databaseCount).filter {
            dispatcher.context.keyspace.count($0) > 0
        }
    }

    /// Takes new figures; the peak may rise by it.
    mutating func memoryReport() -> MemoryReport {
        let figures = allocator.read()
        statistics.peakMemory = max(statistics.peakMemory, figures.allocated)
        var report = MemoryReport()
        report.used = figures.allocated
        report.active = figures.active
        report.resident = figures.resident
        report.peak = statistics.peakMemory
        report.start = statistics.startMemory
        report.processResident = ProcessMemory.residentBytes()
        report.clients = sessions.all.reduce(0) { $0 + $1.memoryBytes }
        report.logBuffer =
            dispatcher.context.log.count + (durability.writer?.report().queuedBytes ?? 0)
        for database in 0..<dispatcher.context.keyspace.databaseCount {
            report.keys += dispatcher.context.keyspace.count(database)
            report.tables +=
                dispatcher.context.keyspace.tableBytes(database)
                + dispatcher.context.keyspace.deadlineBytes(database)
        }
        return report
    }
}

/// Figures of this process and machine from the kernel.
enum ProcessMemory {
    static func residentBytes() -> Int {
        var bytes: [UInt8] = []
        do throws(SystemError) {
            bytes = try SmallFile.read("/proc/self/statm")
        } catch {
            return 0
        }
        let fields = bytes.split(separator: UInt8(ascii: " "))
        guard fields.count > 1, let pages = Int(String(decoding: fields[1], as: UTF8.self)) else {
            return 0
        }
        return pages * sysconf(Int32(_SC_PAGESIZE))
    }

    static func machineBytes() -> Int {
        sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
    }
}

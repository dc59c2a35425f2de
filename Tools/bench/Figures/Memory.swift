/// Resident memory by number of strings.
func memoryTable(_ options: Options) throws -> Table {
    var table = Table(
        "Memory",
        how:
            "Growth of resident memory (VmRSS) by strings with keys of 16 B and values of 32 B, in bytes "
            + "per key; no log; fresh servers each time.",
        header: ["", "holdfast", "redis", "ratio", "reach"])
    let counts = [options.scaled(1_000_000), options.scaled(5_000_000)]
    let growth = try interleaved(rounds: min(options.rounds, 3)) { side in
        let server = try ServerUnderTest.started(side, .none, options)
        let connection = try server.connect()
        let empty = try server.process.residentBytes
        var loaded = 0
        return try counts.map { count in
            try load(connection, keys: loaded..<count, valueBytes: 32)
            loaded = count
            return try server.process.residentBytes - empty
        }
    }
    for (index, count) in counts.enumerated() {
        let perKey = growth.medians { $0[index] / Double(count) }
        table.rows.append([
            "\(grouped(Double(count))) strings", fixed(perKey.ours, 1), fixed(perKey.stock, 1),
            fixed(perKey.ratio, 2), Reach.atMost(0.65).verdict(perKey.ratio),
        ])
    }
    return table
}

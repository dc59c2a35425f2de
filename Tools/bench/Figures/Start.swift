internal import Foundation

/// How soon an empty server answers.
func startTable(_ options: Options) throws -> Table {
    let rounds = options.isQuick ? options.rounds : max(options.rounds, 11)
    var table = Table(
        "Start",
        how:
            "An empty server, from before its process is made to the first PONG, tried every 200 µs; "
            + "\(rounds) rounds, ms.",
        header: ["", "holdfast", "redis", "ratio", "reach"])
    for policy in [LogPolicy.none, .everysec] {
        let starts = try interleaved(rounds: rounds) { side in
            try ServerUnderTest(side, policy, options).start(pollMicroseconds: 200) * 1_000
        }
        let times = starts.medians { $0 }
        table.rows.append([
            policy.rawValue, fixed(times.ours, 1), fixed(times.stock, 1), fixed(times.ratio, 2),
            Reach.atMost(1).verdict(times.ratio),
        ])
    }
    return table
}

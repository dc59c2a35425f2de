internal import Glibc
internal import HoldfastPlatform
internal import Simulation

// torture: power cuts, disk faults, process kills, cut links and partitions, under seeds.
//
//     torture [log] [--seed N] [--states N] [--verbose]
//     torture replication [--seed N] [--runs N] [--verbose]
//
// `log` runs histories of one log from seed N on (1 unless given) until so many crash states were judged (200,000).
// `replication` runs so many clusters (1,000) of two to four nodes, one for each seed from N on.
// One seed gives one history: what a run prints can be repeated with `--seed N --states 1 --verbose`, or
// `--seed N --runs 1 --verbose`. Exits with 1 at the first broken promise.

var seed: UInt64 = 1
var statesWanted = 200_000
var runsWanted = 1_000
var isVerbose = false

func say(_ text: String) {
    var line = Array((text + "\n").utf8)
    // SAFETY: the buffer lives during the call. What can't be printed is of no use to anybody.
    unsafe line.withUnsafeMutableBytes { _ = unsafe write(1, $0.baseAddress, $0.count) }
}

func usage(_ problem: String) -> Never {
    say(
        "torture: \(problem)\nusage: torture [log] [--seed N] [--states N] [--verbose]\n"
            + "       torture replication [--seed N] [--runs N] [--verbose]")
    exit(2)
}

var arguments = Array(CommandLine.arguments.dropFirst())
let judgesReplication = arguments.first == "replication"
if judgesReplication || arguments.first == "log" { arguments.removeFirst() }
while !arguments.isEmpty {
    let option = arguments.removeFirst()
    func number<T: LosslessStringConvertible>() -> T {
        guard !arguments.isEmpty, let value = T(arguments.removeFirst()) else {
            usage("\(option) needs a number")
        }
        return value
    }
    switch option {
    case "--seed": seed = number()
    case "--states" where !judgesReplication: statesWanted = number()
    case "--runs" where judgesReplication: runsWanted = number()
    case "--verbose": isVerbose = true
    default: usage("unknown option \(option)")
    }
}

let clock = SystemClock()
let startedAt = clock.monotonicNanoseconds
/// Tells a step of a run.
let tell: ((String) -> Void)? = isVerbose ? { say("  " + $0) } : nil

/// - Returns: what was judged, in words and in numbers.
@MainActor
func judgeLogs() -> (text: String, passed: Int, failed: Int) {
    var tally = Tally()
    var failed = 0
    while tally.states < statesWanted && failed == 0 {
        var history = History(seed: seed, say: tell)
        do {
            try history.run(&tally)
        } catch {
            failed += 1
            say("seed \(seed): \(error)")
            say("repeat with: torture --seed \(seed) --states 1 --verbose")
        }
        seed += 1
    }
    let text =
        "\(tally.powerCuts) power cuts, \(tally.kills) kills, \(tally.cleanStops) clean stops, "
        + "\(tally.cutRecoveries) cuts inside a recovery, \(tally.tornTails) torn tails, "
        + "\(tally.heals) healings, \(tally.rolls) segments, \(tally.rewrites) rewrites"
    return (text, tally.states, failed)
}

@MainActor
func judgeReplication() -> (text: String, passed: Int, failed: Int) {
    var tally = SimulationTally()
    var failed = 0
    while tally.runs < runsWanted && failed == 0 {
        let cluster = Cluster(seed: seed, say: tell)
        do {
            try cluster.run()
        } catch {
            failed += 1
            say("seed \(seed): \(error)")
            say("repeat with: torture replication --seed \(seed) --runs 1 --verbose")
        }
        tally.add(cluster.tally)
        seed += 1
    }
    return (tally.description, tally.runs - failed, failed)
}

let result = judgesReplication ? judgeReplication() : judgeLogs()
let milliseconds = max(1, (clock.monotonicNanoseconds - startedAt) / 1_000_000)
let rate = UInt64(result.passed) * 1_000 / milliseconds
say("\(result.text), \(rate) \(judgesReplication ? "runs" : "states")/s")
say("\(result.passed) passed, \(result.failed) failed")
exit(result.failed == 0 ? 0 : 1)

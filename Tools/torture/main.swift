internal import Glibc
internal import HoldfastPlatform

// torture: power cuts, disk faults and process kills against the log, under seeds.
//
//     torture [--seed N] [--states N] [--verbose]
//
// Runs histories from seed N on (1 unless given) until so many crash states were judged (200,000).
// One seed gives one history: what a run prints can be repeated with `--seed N --states 1 --verbose`.
// Exits with 1 at the first broken invariant.

var seed: UInt64 = 1
var statesWanted = 200_000
var isVerbose = false

func say(_ text: String) {
    var line = Array((text + "\n").utf8)
    // SAFETY: the buffer lives during the call. What can't be printed is of no use to anybody.
    unsafe line.withUnsafeMutableBytes { _ = unsafe write(1, $0.baseAddress, $0.count) }
}

func usage(_ problem: String) -> Never {
    say("torture: \(problem)\nusage: torture [--seed N] [--states N] [--verbose]")
    exit(2)
}

var arguments = Array(CommandLine.arguments.dropFirst())
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
    case "--states": statesWanted = number()
    case "--verbose": isVerbose = true
    default: usage("unknown option \(option)")
    }
}

let clock = SystemClock()
let startedAt = clock.monotonicNanoseconds
var tally = Tally()
var failed = 0
while tally.states < statesWanted && failed == 0 {
    var history = History(seed: seed, say: isVerbose ? { say("  " + $0) } : nil)
    do {
        try history.run(&tally)
    } catch {
        failed += 1
        say("seed \(seed): \(error)")
        say("repeat with: torture --seed \(seed) --states 1 --verbose")
    }
    seed += 1
}
let milliseconds = max(1, (clock.monotonicNanoseconds - startedAt) / 1_000_000)
say(
    "\(tally.powerCuts) power cuts, \(tally.kills) kills, \(tally.cleanStops) clean stops, "
        + "\(tally.cutRecoveries) cuts inside a recovery, \(tally.tornTails) torn tails, "
        + "\(tally.heals) healings, \(tally.rolls) segments, \(tally.rewrites) rewrites, "
        + "\(UInt64(tally.states) * 1_000 / milliseconds) states/s")
say("\(tally.states) passed, \(failed) failed")
exit(failed == 0 ? 0 : 1)

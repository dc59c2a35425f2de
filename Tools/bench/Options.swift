/// What the command line asked for.
struct Options {
    /// One word each; `all` stands for every one of them.
    enum Figure: String, CaseIterable {
        case throughput, always, readers, memory, recovery, growth, connections, start
        case types
        case typeMemory = "type-memory"
        case worstCommand = "worst-command"
        case snapshots, load
        case setCost = "set-cost"
        case replication
    }

    static let usage = """
        usage: bench FIGURE ... [--server PATH] [--stock PATH] [--rounds N] [--quick] [--large]
                             [--markdown FILE]

        Drives holdfast-server and a stock redis-server in turns and prints medians and their ratios.

        FIGURE           all, \(Figure.allCases.map(\.rawValue).joined(separator: ", "))
        --server PATH    ours (HOLDFAST_SERVER, or .build/release/holdfast-server)
        --stock PATH     the server beside it (redis-server)
        --rounds N       how often each of the two is driven (5; 3 with --quick)
        --quick          small loads, to see that everything works: the figures mean little
        --large          snapshots with 5,000,000 keys as well
        --markdown FILE  writes the tables to FILE as well
        """

    struct Wrong: Error { let problem: String }

    var figures: [Figure] = []
    var server: String
    var stock = "redis-server"
    var rounds = 0
    var isQuick = false
    var isLarge = false
    var isHelp = false
    var markdown: String?

    init(_ arguments: [String], environment: [String: String]) throws(Wrong) {
        server = environment["HOLDFAST_SERVER"] ?? ".build/release/holdfast-server"
        var rest = arguments[...]
        while let word = rest.popFirst() {
            func value() throws(Wrong) -> String {
                guard let value = rest.popFirst() else {
                    throw Wrong(problem: "\(word) needs a value")
                }
                return value
            }
            switch word {
            case "--server": server = try value()
            case "--stock": stock = try value()
            case "--markdown": markdown = try value()
            case "--quick": isQuick = true
            case "--large": isLarge = true
            case "--rounds":
                guard let count = Int(try value()), (1...1000).contains(count) else {
                    throw Wrong(problem: "--rounds needs a number from 1 to 1000")
                }
                rounds = count
            case "--help", "-h": isHelp = true
            case "all": figures = Figure.allCases
            default:
                guard let figure = Figure(rawValue: word) else {
                    throw Wrong(problem: "unknown: \(word)")
                }
                figures.append(figure)
            }
        }
        if figures.isEmpty && !isHelp { throw Wrong(problem: "which figure?") }
        if rounds == 0 { rounds = isQuick ? 3 : 5 }
    }

    // MARK: Sizes of loads

    /// How long one round of a load shall take.
    var secondsPerRound: Double { isQuick ? 0.5 : 3 }
    /// Size of the key space that loads pick their keys from.
    var keys: Int { isQuick ? 100_000 : 1_000_000 }
    /// `count`, or a twentieth of it with --quick.
    func scaled(_ count: Int) -> Int { isQuick ? count / 20 : count }
}

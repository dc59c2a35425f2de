internal import HoldfastBytes
internal import HoldfastRESP

/// What the command line asks the program to do.
public enum StartRequest: Equatable, Sendable {
    case run(ConfigurationSource)
    case printVersion
    case printHelp
    /// `--test-memory`, with the word that should be megabytes.
    case testMemory(String?)
    /// `--check-system`
    case checkSystem
    /// `--check-config …`: read everything, say whether it's right, don't start.
    case checkConfiguration(ConfigurationSource)
    /// `--print-config …`: every directive with its value, as a file that can be used again.
    case printConfiguration(ConfigurationSource)

    /// - Parameter arguments: without the program's name.
    public init(arguments: [String]) {
        switch arguments.first {
        case "-v", "--version": self = .printVersion
        case "-h", "--help": self = .printHelp
        case "--test-memory":
            self = .testMemory(arguments.count == 2 ? arguments[1] : nil)
        case "--check-system": self = .checkSystem
        case "--check-config":
            self = .checkConfiguration(ConfigurationSource(arguments: Array(arguments.dropFirst())))
        case "--print-config":
            self = .printConfiguration(ConfigurationSource(arguments: Array(arguments.dropFirst())))
        default: self = .run(ConfigurationSource(arguments: arguments))
        }
    }

    public static let help = """
        Usage: holdfast-server [/path/to/holdfast.conf] [options] [-]
               holdfast-server - (read config from stdin)
               holdfast-server -v or --version
               holdfast-server -h or --help
               holdfast-server --test-memory <megabytes>
               holdfast-server --check-system
               holdfast-server --check-config [file] [options] (check it, don't start)
               holdfast-server --print-config [file] [options] (show every setting)

        Examples:
               holdfast-server (run the server with default conf)
               echo 'maxmemory 128mb' | holdfast-server -
               holdfast-server /etc/holdfast/6379.conf
               holdfast-server --port 7777
               holdfast-server --port 7777 --replicaof 127.0.0.1 8888
               holdfast-server /etc/myholdfast.conf --loglevel verbose -
               holdfast-server /etc/myholdfast.conf --loglevel verbose

        """

    public static let testMemoryHelp = """
        Please specify the amount of memory to test in megabytes.
        Example: ./holdfast-server --test-memory 4096


        """
}

extension ConfigurationSource {
    /// Turns arguments into a file name and lines, by Redis's rules: a first argument without a dash is
    /// the file; `-` first or last reads standard input; `--name` begins a line, everything after it
    /// belongs to it. A name alone takes the next argument as its value whatever it looks like, save
    /// that an empty `--save` may be followed by another option.
    public init(arguments: [String]) {
        self.init()
        var rest = arguments[...]
        if let first = rest.first, !first.hasPrefix("-") {
            file = first
            rest = rest.dropFirst()
        }
        var lines = ByteBuffer()
        var isValueExpected = false
        for (index, argument) in zip(rest.indices, rest) {
            let isLast = index == arguments.count - 1
            if argument == "-" && (index == 0 || isLast) {
                readsStandardInput = true
            } else if !isValueExpected && argument.hasPrefix("--") {
                if !lines.isEmpty { lines.append(10) }
                lines.append(text: String(argument.dropFirst(2)))
                lines.append(32)
                let words = argument.withSlice { QuotedWords.split($0) }
                guard words?.count == 1 else { continue }
                isValueExpected = true
                let isOptionNext = !isLast && arguments[index + 1].hasPrefix("--")
                if argument.lowercased() == "--save" && (isLast || isOptionNext) {
                    lines.append("\"\"" as StaticString)
                    isValueExpected = false
                }
            } else {
                argument.withSlice { lines.append(quoted: $0) }
                lines.append(32)
                isValueExpected = false
            }
        }
        options = lines.copyToArray()
    }
}

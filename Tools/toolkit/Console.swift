internal import Glibc
internal import HoldfastPlatform

/// What a tool talks to: its output, its user, and the signals that end it early.
public final class Console {
    public let program: String
    public let output: Output
    public let isQuiet: Bool
    public let wantsJSON: Bool
    private let showsProgress: Bool
    private let isColored: Bool
    private let signals: Signals?
    private let isProgram: Bool
    private var wasInterrupted = false

    /// - Parameter takesSignals: SIGINT, SIGTERM and SIGHUP then no longer end the process, but make
    ///   `isInterrupted` true. SIGPIPE is ignored, and shows as `output.hasFailed`.
    public init(
        program: String, arguments: ParsedArguments, output: Output = Output(),
        takesSignals: Bool = true
    ) {
        self.program = program
        self.output = output
        isQuiet = arguments.has("quiet")
        wantsJSON = arguments.has("json")
        isProgram = takesSignals
        showsProgress = takesSignals && arguments.value("progress") != "never"
        // SAFETY: only whether the variable is there is looked at.
        let mayColor = unsafe getenv("NO_COLOR") == nil && isatty(1) == 1 && takesSignals
        switch arguments.value("color") {
        case "always": isColored = true
        case "never": isColored = false
        default: isColored = mayColor && !wantsJSON
        }
        // Without the descriptor the signals keep their ordinary meaning, which is to end the process.
        signals = takesSignals ? try? Signals() : nil
    }

    /// Whether the user asked to stop. Cheap enough for once a MiB.
    public var isInterrupted: Bool {
        if !wasInterrupted, let signals, signals.next() != nil { wasInterrupted = true }
        return wasInterrupted
    }

    /// Whether to go on with a long work: nobody asked to stop, and the output is still taken.
    public var mayGoOn: Bool { !isInterrupted && !output.hasFailed }

    /// Waits so long, or until a signal comes.
    public func rest(milliseconds: Int32) {
        var waiting = pollfd(fd: signals?.descriptor ?? -1, events: Int16(POLLIN), revents: 0)
        // SAFETY: one entry, ours for the call.
        unsafe _ = poll(&waiting, 1, milliseconds)
    }

    public func progress(_ label: String, totalBytes: Int64) -> Progress {
        Progress(label, totalBytes: totalBytes, isShown: showsProgress)
    }

    /// The verdict's word, coloured on a terminal.
    public func word(_ verdict: Verdict) -> String {
        isColored ? "\u{1B}[1;\(verdict.color)m\(verdict.rawValue)\u{1B}[0m" : verdict.rawValue
    }

    public func say(_ line: String = "") { output.writeLine(line) }

    /// A message about the run itself, on standard error, after what was printed so far.
    public func complain(_ message: String) {
        // Inside another program its output is all there is.
        guard isProgram else { return output.writeLine("\(program): \(message)") }
        output.flush()
        StandardError.write("\(program): \(message)\n")
    }

    /// Whether somebody can be asked.
    public var canAsk: Bool { isatty(0) == 1 && signals != nil }

    /// Asks a yes-or-no question; anything but a yes is a no, and so is a signal.
    ///
    /// - Parameter accepting: what counts as a yes, by its first letters in lower case.
    public func ask(_ question: String, accepting: [String] = ["y", "yes"]) -> Bool {
        output.write(question)
        output.flush()
        guard let line = readLine() else { return false }
        return accepting.contains(line.lowercased())
    }

    /// A line from standard input, without its end; nil at the end or when interrupted.
    private func readLine() -> String? {
        var line: [UInt8] = []
        while line.count < 4096 {
            var waiting = [
                pollfd(fd: 0, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
            ]
            // SAFETY: two entries, ours for the call.
            let count = unsafe poll(&waiting, 2, -1)
            if count < 0 && errno != EINTR { return nil }
            if isInterrupted { return nil }
            guard waiting[0].revents != 0 else { continue }
            var byte: UInt8 = 0
            // SAFETY: one byte, ours for the call.
            guard unsafe read(0, &byte, 1) == 1 else { return line.isEmpty ? nil : text(line) }
            if byte == 0x0a { return text(line) }
            line.append(byte)
        }
        return nil
    }

    private func text(_ line: [UInt8]) -> String {
        String(decoding: line.last == 0x0d ? line.dropLast() : line[...], as: UTF8.self)
    }
}

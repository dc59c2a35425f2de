internal import Glibc
internal import Synchronization

/// How much a line of diagnostics matters; the raw values order them.
public enum DiagnosticsLevel: Int, Sendable, Comparable, CaseIterable {
    case debug, verbose, notice, warning
    /// As a threshold: writes nothing.
    case nothing

    public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

    var mark: UInt8 {
        switch self {
        case .debug: UInt8(ascii: ".")
        case .verbose: UInt8(ascii: "-")
        case .notice: UInt8(ascii: "*")
        case .warning, .nothing: UInt8(ascii: "#")
        }
    }
}

/// Who writes, as the letter after the process id.
public enum DiagnosticsRole: UInt8, Sendable {
    case primary = 77  // M
    case replica = 83  // S
    /// A child process, and the server before it knows its role.
    case starting = 67  // C
    case sentinel = 88  // X
}

/// The text for operators, in Redis's line format, which log collectors know:
///
///     4242:M 05 Mar 2026 14:03:07.123 * Ready to accept connections tcp
///
/// Any thread may call it. A line is one write(2), so lines of several threads and processes never
/// mix. With a file, each line opens it for appending: it may be rotated away at any time, and several
/// servers may share it. A line that can't be written is lost without a word, since there is nowhere
/// left to say it.
public final class Diagnostics: Sendable {
    private struct State: Sendable {
        var level: DiagnosticsLevel
        var role: DiagnosticsRole
        var path: String
    }

    private let state: Mutex<State>

    /// - Parameter path: empty for standard output.
    public init(
        level: DiagnosticsLevel = .notice, role: DiagnosticsRole = .starting, path: String = ""
    ) {
        state = Mutex(State(level: level, role: role, path: path))
    }

    /// Lines below this are not written.
    public var level: DiagnosticsLevel {
        get { state.withLock { $0.level } }
        set { state.withLock { $0.level = newValue } }
    }

    public var role: DiagnosticsRole {
        get { state.withLock { $0.role } }
        set { state.withLock { $0.role = newValue } }
    }

    /// The file lines go to; empty for standard output.
    public var path: String {
        get { state.withLock { $0.path } }
        set { state.withLock { $0.path = newValue } }
    }

    public func debug(_ text: @autoclosure () -> String) { log(.debug, text()) }
    public func verbose(_ text: @autoclosure () -> String) { log(.verbose, text()) }
    public func notice(_ text: @autoclosure () -> String) { log(.notice, text()) }
    public func warning(_ text: @autoclosure () -> String) { log(.warning, text()) }

    /// Writes a line unless the threshold is above `level`; `text` is not evaluated then.
    public func log(_ level: DiagnosticsLevel, _ text: @autoclosure () -> String) {
        let now = state.withLock { $0 }
        guard level >= now.level, level != .nothing else { return }
        Self.write(
            Self.line(
                level, now.role, process: getpid(), at: Self.clock(), text: text()),
            to: now.path)
    }

    /// Writes `text` without the line's head, whatever the threshold is: the start-up banner.
    public func raw(_ text: String) {
        Self.write(Array(text.utf8) + [10], to: path)
    }

    /// Writes the line with which Redis acknowledges a signal:
    /// `<pid>:signal-handler (<unix seconds>) <text>`.
    public func signalReceived(_ text: String) {
        let line = "\(getpid()):signal-handler (\(Self.clock().seconds)) \(text)\n"
        Self.write(Array(line.utf8), to: path)
    }

    // MARK: The line

    struct Moment: Sendable {
        var seconds: Int
        var milliseconds: Int
    }

    static func clock() -> Moment {
        var now = timespec()
        // SAFETY: the call fills the structure it is given.
        unsafe _ = clock_gettime(CLOCK_REALTIME, &now)
        return Moment(seconds: now.tv_sec, milliseconds: now.tv_nsec / 1_000_000)
    }

    /// The bytes of one line; time is shown in the local time zone, as Redis does.
    static func line(
        _ level: DiagnosticsLevel, _ role: DiagnosticsRole, process: Int32, at moment: Moment,
        text: String
    ) -> [UInt8] {
        let calendar = localCalendar(moment.seconds)
        let months = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ]
        let month = months.indices.contains(calendar.month) ? months[calendar.month] : "???"
        var bytes = Array("\(process):".utf8)
        bytes.reserveCapacity(text.utf8.count + 48)
        bytes.append(role.rawValue)
        bytes.append(32)
        appendPadded(&bytes, calendar.day, 2)
        bytes += Array(" \(month) \(calendar.year) ".utf8)
        appendPadded(&bytes, calendar.hour, 2)
        bytes.append(UInt8(ascii: ":"))
        appendPadded(&bytes, calendar.minute, 2)
        bytes.append(UInt8(ascii: ":"))
        appendPadded(&bytes, calendar.second, 2)
        bytes.append(UInt8(ascii: "."))
        appendPadded(&bytes, moment.milliseconds, 3)
        bytes += [32, level.mark, 32]
        bytes += Array(text.utf8)
        bytes.append(10)
        return bytes
    }

    private struct Calendar {
        var year, month, day, hour, minute, second: Int
    }

    private static func localCalendar(_ seconds: Int) -> Calendar {
        var seconds = seconds
        // SAFETY: both pointers are to variables of this frame, localtime_r keeps neither; the time
        // zone's name, a pointer in `tm`, isn't read.
        var local = unsafe tm()
        unsafe _ = localtime_r(&seconds, &local)
        return unsafe Calendar(
            year: Int(local.tm_year) + 1900, month: Int(local.tm_mon), day: Int(local.tm_mday),
            hour: Int(local.tm_hour), minute: Int(local.tm_min), second: Int(local.tm_sec))
    }

    private static func appendPadded(_ bytes: inout [UInt8], _ value: Int, _ width: Int) {
        let digits = Array(String(value).utf8)
        bytes += [UInt8](repeating: 48, count: max(0, width - digits.count)) + digits
    }

    private static func write(_ bytes: [UInt8], to path: String) {
        var target: Int32 = 1
        if !path.isEmpty {
            // SAFETY: the path is passed as a terminated string for the length of the call.
            unsafe target = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
            if target < 0 { return }
        }
        unsafe bytes.withUnsafeBytes { buffer in
            // SAFETY: the buffer is `count` bytes long. A short or failed write loses the line.
            unsafe _ = Glibc.write(target, buffer.baseAddress, buffer.count)
        }
        if target != 1 { _ = close(target) }
    }
}

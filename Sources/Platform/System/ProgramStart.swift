public import Glibc

/// How a program is started: with the signals of a fresh process, since the threads of servers and tests block some,
/// and a child would inherit that.
public struct ProgramStart: Sendable {
    /// The program, looked for in the search path, and its arguments.
    public var words: [String]
    /// `NAME=value` lines; nil for those of this process.
    public var environment: [String]?
    public var inputPath = "/dev/null"
    /// Where output and errors go; nil for where this process's go.
    public var outputPath: String?
    public var truncatesOutput = false
    /// Whether it leads a process group of its own, so that its children can be ended with it.
    public var hasOwnGroup = false

    public init(_ words: [String]) { self.words = words }

    /// Starts it and doesn't wait. From any thread.
    ///
    /// - Parameter process: its id, on success.
    /// - Returns: an errno, 0 for success.
    public func start(_ process: inout pid_t) -> Int32 {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        // SAFETY: both are initialised here, used by one call and destroyed; strings live for the call.
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, inputPath, O_RDONLY, 0)
        if let outputPath {
            let mode = truncatesOutput ? O_TRUNC : O_APPEND
            unsafe posix_spawn_file_actions_addopen(
                &actions, 1, outputPath, O_WRONLY | O_CREAT | mode, 0o644)
            unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        }
        var none = sigset_t()
        var all = sigset_t()
        unsafe sigemptyset(&none)
        unsafe sigfillset(&all)
        unsafe posix_spawnattr_setsigmask(&attributes, &none)
        unsafe posix_spawnattr_setsigdefault(&attributes, &all)
        var flags = Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF)
        if hasOwnGroup {
            unsafe posix_spawnattr_setpgroup(&attributes, 0)
            flags |= Int16(POSIX_SPAWN_SETPGROUP)
        }
        unsafe posix_spawnattr_setflags(&attributes, flags)
        var arguments = unsafe Self.copies(words)
        defer { unsafe arguments.forEach { unsafe free($0) } }
        guard let environment else {
            return unsafe posix_spawnp(
                &process, words[0], &actions, &attributes, &arguments, environ)
        }
        var lines = unsafe Self.copies(environment)
        defer { unsafe lines.forEach { unsafe free($0) } }
        return unsafe posix_spawnp(
            &process, words[0], &actions, &attributes, &arguments, &lines)
    }

    /// C strings that the caller frees, and a null behind them.
    private static func copies(_ words: [String]) -> [UnsafeMutablePointer<CChar>?] {
        unsafe words.map { unsafe strdup($0) } + [nil]
    }
}

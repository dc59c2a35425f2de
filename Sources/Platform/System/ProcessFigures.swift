internal import CLinux
internal import Glibc

/// Time on the processor, in seconds.
public struct ProcessorTime: Sendable {
    public enum Scope: Sendable { case process, children, thread }

    public var user: Double
    public var system: Double

    /// - Parameter scope: `thread` is the calling one.
    public static func read(_ scope: Scope) -> ProcessorTime {
        var time = ProcessorTime(user: 0, system: 0)
        let number: Int32 =
            switch scope {
            case .process: 0
            case .children: 1
            case .thread: 2
            }
        // SAFETY: the call fills two doubles.
        unsafe hf_processor_time(number, &time.user, &time.system)
        return time
    }
}

/// The system that the process runs on.
public enum OperatingSystem {
    /// Name, release and machine: `Linux 6.1.0 x86_64`.
    public static func name() -> String {
        var text = [CChar](repeating: 0, count: 256)
        // SAFETY: the call writes at most 256 bytes, the last a NUL.
        unsafe hf_system_name(&text, text.count)
        return String(
            decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension ProcessControl {
    /// What `ps` shows of the process.
    public static func setTitle(_ title: String) {
        // SAFETY: the string is passed as a terminated one for the length of the call.
        unsafe hf_set_process_title(title)
    }

    /// Lets the process have `wanted` open files, or as many as the system allows.
    ///
    /// - Returns: the limit afterwards.
    public static func raiseFileLimit(to wanted: Int) -> Int {
        Int(hf_raise_file_limit(UInt64(max(wanted, 0))))
    }
}

internal import Glibc

/// A system call that failed: which call, on what, and why.
public struct SystemError: Error, Equatable, Sendable, CustomStringConvertible {
    public let call: String
    public let path: String
    public let errno: Int32

    public init(call: String, path: String, errno: Int32) {
        self.call = call
        self.path = path
        self.errno = errno
    }

    /// The system's own words for the error, as `strerror` gives them.
    public var reason: String {
        // SAFETY: strerror returns a terminated string; it is copied before anything else runs.
        unsafe strerror(errno).map { unsafe String(cString: $0) } ?? "error \(errno)"
    }

    public var description: String { "\(call) \(path): \(reason)" }
}

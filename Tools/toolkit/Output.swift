internal import Glibc
public import HoldfastBytes

/// Standard output, buffered. A reader that went away or a full disk makes it fail for good: what is written
/// after that goes nowhere, and a program that prints much looks at `hasFailed` now and then.
public final class Output {
    private enum Sink {
        case descriptor(Int32)
        case memory
    }

    private let sink: Sink
    private var buffer = ByteBuffer()
    /// The errno of the write that failed.
    private var failure: Int32 = 0

    private static let bufferBytes = 64 << 10

    /// Writes to a descriptor, 1 as a rule.
    public init(descriptor: Int32 = 1) { sink = .descriptor(descriptor) }

    private init(sink: Sink) { self.sink = sink }

    /// Keeps everything, for tests.
    public static func kept() -> Output { Output(sink: .memory) }

    /// What was kept.
    public var keptText: String { buffer.slice.text }

    public var hasFailed: Bool { failure != 0 }

    public func write(_ bytes: ByteSlice) {
        if bytes.count >= Self.bufferBytes, case .descriptor(let descriptor) = sink {
            flush()
            return hand(bytes, to: descriptor)
        }
        buffer.append(bytes)
        flushIfLong()
    }

    public func write(_ text: String) {
        buffer.append(text: text)
        flushIfLong()
    }

    public func writeLine(_ text: String = "") { write(text + "\n") }

    func append(_ byte: UInt8) {
        buffer.append(byte)
        flushIfLong()
    }

    private func flushIfLong() {
        if buffer.count >= Self.bufferBytes { flush() }
    }

    /// Hands over what is buffered.
    public func flush() {
        guard case .descriptor(let descriptor) = sink else { return }
        hand(buffer.slice, to: descriptor)
        buffer.removeAll()
    }

    private func hand(_ bytes: ByteSlice, to descriptor: Int32) {
        var rest = bytes
        while !rest.isEmpty && failure == 0 {
            // SAFETY: the kernel reads exactly the slice.
            let count = unsafe Glibc.write(descriptor, rest.pointer, rest.count)
            let code = errno
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if count < 0 && code == EAGAIN {
                // A terminal or pipe that somebody made non-blocking.
                var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                // SAFETY: one entry, ours for the call.
                unsafe _ = poll(&waiting, 1, -1)
            } else if count == 0 || code != EINTR {
                failure = count == 0 ? EIO : code
            }
        }
    }

    /// Flushes, and gives the status to exit with: `code`, unless the output was lost.
    public func finish(_ code: ExitCode, program: String) -> ExitCode {
        flush()
        guard failure != 0 else { return code }
        // Who closed the pipe knows.
        if failure != EPIPE {
            // SAFETY: strerror's text is copied at once.
            let reason = unsafe String(cString: strerror(failure))
            StandardError.write("\(program): writing the output: \(reason)\n")
        }
        return .inputOutput
    }
}

/// Standard error, unbuffered. What can't be written is dropped.
public enum StandardError {
    public static var isTerminal: Bool { isatty(2) == 1 }

    public static func write(_ text: String) {
        text.withSlice { slice in
            // SAFETY: the kernel reads exactly the slice.
            unsafe _ = Glibc.write(2, slice.pointer, slice.count)
        }
    }
}

internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import Snapshot
internal import Synchronization
internal import ToolKit

/// Bytes front to back: of a file, of standard input, or of what a gzip or zstd file stands for. How many there will
/// be is never told, so that a file that ends early is seen to end, and not only to be shorter than it says.
final class InputSource: SnapshotSource, @unchecked Sendable {
    // Sendable because one thread at a time reads, by the protocol's rule; the others read atomics.
    private let descriptor: Int32
    private let path: String
    private let isOwned: Bool
    /// Of what is no regular file, and may make us wait.
    private let patience: PatientInput?
    private var raw = ByteBuffer()
    private let wrapping: Wrapping
    private let expander: (any Expander)?
    private var isBetweenMembers = false
    private let patch: Patch?
    private var offset: Int64
    private let rawCount = Atomic<Int64>(0)
    private let trouble = Atomic<UInt8>(0)

    /// Bytes to be changed while they are read.
    struct Patch {
        var offset: Int64
        var change: [UInt8]
    }

    /// What was found about the wrapping when the bytes ended.
    enum Trouble: UInt8 {
        case none, endsEarly, damaged, tooLarge
    }

    var totalBytes: Int64? { nil }
    /// Of the file itself.
    var bytesRead: Int64 { rawCount.load(ordering: .relaxed) }
    var wrapperTrouble: Trouble { Trouble(rawValue: trouble.load(ordering: .relaxed)) ?? .none }
    var wrappingName: String { wrapping.rawValue }

    /// What is wrong with the wrapping, and what that makes of the file; nil if nothing is known to be.
    var wrapperDamage: (message: String, verdict: Verdict)? {
        switch wrapperTrouble {
        case .none: nil
        case .endsEarly: ("the \(wrappingName) data end early", .torn)
        case .damaged: ("the \(wrappingName) data are damaged", .damaged)
        case .tooLarge:
            (
                "the zstd data need more than 32 MiB of memory: zstd -dc --long=31 FILE | rdb-check -",
                .unreadable
            )
        }
    }

    private static let rawBytes = 128 << 10

    /// - Parameters:
    ///   - path: `-` for standard input.
    ///   - start: of a plain file: where to begin.
    init(_ path: String, from start: Int64 = 0, patch: Patch? = nil) throws(SystemError) {
        self.path = path
        self.patch = patch
        offset = start
        isOwned = path != "-"
        // A pipe without a writer is waited for when it is read, and not when it is opened.
        descriptor = isOwned ? unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : 0
        if descriptor < 0 { throw SystemError(call: "open", path: path, errno: errno) }
        var status = stat()
        let kind = unsafe fstat(descriptor, &status) == 0 ? status.st_mode & S_IFMT : S_IFREG
        patience = kind == S_IFREG ? nil : PatientInput()
        do throws(SystemError) {
            if kind == S_IFDIR { throw SystemError(call: "read", path: path, errno: EISDIR) }
            _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
            if start > 0, lseek(descriptor, off_t(start), SEEK_SET) < 0 {
                throw SystemError(call: "lseek", path: path, errno: errno)
            }
            while raw.count < 4, start == 0 {
                if try Self.readRaw(descriptor, path, patience, &raw) == 0 { break }
            }
        } catch {
            if isOwned { _ = close(descriptor) }
            throw error
        }
        wrapping = start == 0 ? Wrapping(raw.slice) : .none
        expander = wrapping.expander()
        rawCount.store(Int64(raw.count), ordering: .relaxed)
    }

    deinit { if isOwned { _ = close(descriptor) } }

    private static func readRaw(
        _ descriptor: Int32, _ path: String, _ patience: PatientInput?,
        _ buffer: inout ByteBuffer
    ) throws(SystemError) -> Int {
        let before = buffer.count
        try unsafe buffer.appendInPlace(rawBytes) { (target) throws(SystemError) in
            try unsafe readSome(descriptor, path, patience, target)
        }
        return buffer.count - before
    }

    /// - Throws: also if a signal came while there was nothing to read, as EINTR.
    private static func readSome(
        _ descriptor: Int32, _ path: String, _ patience: PatientInput?,
        _ target: UnsafeMutableRawBufferPointer
    ) throws(SystemError) -> Int {
        while true {
            if let patience, !patience.wait(for: descriptor) {
                throw SystemError(call: "read", path: path, errno: EINTR)
            }
            // SAFETY: the kernel writes at most the count given.
            let got = unsafe Glibc.read(descriptor, target.baseAddress, target.count)
            let code = errno
            if got >= 0 { return got }
            if code != EAGAIN && code != EINTR {
                throw SystemError(call: "read", path: path, errno: code)
            }
        }
    }

    func read(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        let got = try unsafe expander == nil ? readPlain(into: buffer) : expand(into: buffer)
        if let patch { unsafe apply(patch, to: buffer, count: got) }
        offset += Int64(got)
        return got
    }

    private func readPlain(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        if !raw.isEmpty {
            let count = min(raw.count, buffer.count)
            // SAFETY: both are at least `count` bytes long.
            unsafe buffer.baseAddress?.copyMemory(from: raw.slice.pointer, byteCount: count)
            raw.consume(count)
            return count
        }
        let got = try unsafe Self.readSome(descriptor, path, patience, buffer)
        rawCount.add(Int64(got), ordering: .relaxed)
        return got
    }

    private func expand(into buffer: UnsafeMutableRawBufferPointer) throws(SystemError) -> Int {
        guard let expander, wrapperTrouble == .none else { return 0 }
        while true {
            if raw.isEmpty {
                let got = try Self.readRaw(descriptor, path, patience, &raw)
                rawCount.add(Int64(got), ordering: .relaxed)
                if got == 0 {
                    if !isBetweenMembers { note(.endsEarly) }
                    return 0
                }
            }
            switch unsafe expander.expand(raw.slice, into: buffer) {
            case .step(let read, let written):
                isBetweenMembers = false
                raw.consume(read)
                if written > 0 { return written }
                if read == 0 {
                    note(.damaged)
                    return 0
                }
            case .ended(let read, let written):
                isBetweenMembers = true
                raw.consume(read)
                if written > 0 { return written }
            case .damaged:
                // What follows the last member is none of ours; gzip passes it over as well.
                if isBetweenMembers { raw.removeAll() } else { note(.damaged) }
                if wrapperTrouble != .none { return 0 }
            case .tooLarge:
                note(.tooLarge)
                return 0
            }
        }
    }

    private func note(_ what: Trouble) { trouble.store(what.rawValue, ordering: .relaxed) }

    private func apply(_ patch: Patch, to buffer: UnsafeMutableRawBufferPointer, count: Int) {
        for (index, change) in patch.change.enumerated() {
            let place = patch.offset + Int64(index) - offset
            if 0 <= place, place < Int64(count) { unsafe buffer[Int(place)] ^= change }
        }
    }
}

/// What stands at a path, as far as a reader wants to know.
struct InputFile {
    let path: String
    /// Of a regular file.
    let bytes: Int64?
    /// A regular file, whose bytes are at hand anywhere.
    var isRegular: Bool { bytes != nil }

    init(_ path: String) throws(SystemError) {
        self.path = path
        guard path != "-" else {
            bytes = nil
            return
        }
        var status = stat()
        // SAFETY: `status` is ours for the call.
        if unsafe stat(path, &status) != 0 {
            throw SystemError(call: "open", path: path, errno: errno)
        }
        bytes = status.st_mode & S_IFMT == S_IFREG ? Int64(status.st_size) : nil
    }
}

extension SystemError {
    /// A signal came while there was nothing to read.
    var isInterruption: Bool { errno == EINTR }
}

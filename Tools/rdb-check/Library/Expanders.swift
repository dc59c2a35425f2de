internal import CZLIB
internal import CZSTD
internal import Glibc
internal import HoldfastBytes

/// How a file's bytes are wrapped, by its first bytes. LZ4 frames are the snapshot reader's own affair.
enum Wrapping: String {
    case none = "plain"
    case gzip
    case zstd

    init(_ head: ByteSlice) {
        if head.count >= 2, head[0] == 0x1f, head[1] == 0x8b {
            self = .gzip
        } else if head.count >= 4, head[0] == 0x28, head[1] == 0xb5, head[2] == 0x2f,
            head[3] == 0xfd
        {
            self = .zstd
        } else {
            self = .none
        }
    }

    func expander() -> (any Expander)? {
        switch self {
        case .none: nil
        case .gzip: GzipExpander()
        case .zstd: ZstdExpander()
        }
    }
}

/// What came of expanding some bytes.
enum Expansion {
    case step(read: Int, written: Int)
    /// A member or frame ended; another may follow.
    case ended(read: Int, written: Int)
    case damaged
    /// It asks for more memory than there shall be.
    case tooLarge
}

protocol Expander: AnyObject {
    func expand(_ input: ByteSlice, into target: UnsafeMutableRawBufferPointer) -> Expansion
}

@safe
final class GzipExpander: Expander {
    private var stream = unsafe z_stream()
    private var isGood: Bool

    init() { isGood = unsafe hf_inflate_begin(&stream) == Z_OK }

    deinit { unsafe _ = inflateEnd(&stream) }

    func expand(_ input: ByteSlice, into target: UnsafeMutableRawBufferPointer) -> Expansion {
        guard isGood else { return .damaged }
        // SAFETY: the library reads and writes at most the counts given.
        unsafe stream.next_in = UnsafeMutablePointer(
            mutating: input.pointer.assumingMemoryBound(to: UInt8.self))
        unsafe stream.avail_in = UInt32(input.count)
        unsafe stream.next_out = target.baseAddress?.assumingMemoryBound(to: UInt8.self)
        unsafe stream.avail_out = UInt32(target.count)
        let result = unsafe inflate(&stream, Z_NO_FLUSH)
        let read = unsafe input.count - Int(stream.avail_in)
        let written = unsafe target.count - Int(stream.avail_out)
        switch result {
        case Z_OK, Z_BUF_ERROR: return .step(read: read, written: written)
        case Z_STREAM_END:
            isGood = unsafe inflateReset(&stream) == Z_OK
            return .ended(read: read, written: written)
        default: return .damaged
        }
    }
}

@safe
final class ZstdExpander: Expander {
    private let stream: OpaquePointer?
    /// 32 MiB: what every level but the highest ones and `--long` keep to.
    private static let windowLogMax: Int32 = 25

    init() {
        unsafe stream = ZSTD_createDCtx()
        unsafe _ = ZSTD_DCtx_setParameter(stream, ZSTD_d_windowLogMax, Self.windowLogMax)
    }

    deinit { unsafe _ = ZSTD_freeDCtx(stream) }

    func expand(_ input: ByteSlice, into target: UnsafeMutableRawBufferPointer) -> Expansion {
        // SAFETY: the library reads and writes at most the counts given.
        var source = unsafe ZSTD_inBuffer(src: input.pointer, size: input.count, pos: 0)
        var result = unsafe ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
        let left = unsafe ZSTD_decompressStream(stream, &result, &source)
        if ZSTD_isError(left) != 0 {
            let name = unsafe String(cString: ZSTD_getErrorName(left))
            return name.contains("memory") ? .tooLarge : .damaged
        }
        let (read, written) = unsafe (source.pos, result.pos)
        return left == 0
            ? .ended(read: read, written: written) : .step(read: read, written: written)
    }
}

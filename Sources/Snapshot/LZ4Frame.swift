internal import CLZ4
public import HoldfastBytes

/// LZ4 frames by liblz4: what `lz4` and `lz4 -dc` write and read.
public enum LZ4Frame {
    static let magic: [UInt8] = [0x04, 0x22, 0x4d, 0x18]
    /// No frame holds more bytes than this for each of its own.
    static let expansionMax: Int64 = 255

    /// How long a frame of `bytes` is.
    public static func byteCount(of bytes: ByteSlice) -> Int {
        var compressor = LZ4Compressor(level: 0)
        var frame = ByteBuffer()
        compressor.begin(into: &frame)
        compressor.append(bytes, into: &frame)
        compressor.finish(into: &frame)
        return frame.count
    }
}

/// Makes a frame, piece by piece: linked blocks of 256 KiB, each with a checksum (some bits of a block mean
/// nothing, so the content's doesn't find all damage), and a checksum of the content at its end.
@safe
struct LZ4Compressor: ~Copyable {
    private let context: OpaquePointer
    private var preferences: LZ4F_preferences_t

    /// - Parameter level: as liblz4 counts: 0 is fast, up to 12 for smaller files.
    init(level: Int) {
        var context: OpaquePointer?
        // SAFETY: the library fills in the pointer, or says that it is out of memory.
        let result = unsafe LZ4F_createCompressionContext(&context, UInt32(LZ4F_VERSION))
        guard LZ4F_isError(result) == 0, let context = unsafe context else {
            fatalError("out of memory")
        }
        unsafe self.context = context
        preferences = LZ4F_preferences_t()
        preferences.frameInfo.blockSizeID = LZ4F_max256KB
        preferences.frameInfo.blockMode = LZ4F_blockLinked
        preferences.frameInfo.contentChecksumFlag = LZ4F_contentChecksumEnabled
        preferences.frameInfo.blockChecksumFlag = LZ4F_blockChecksumEnabled
        preferences.compressionLevel = Int32(clamping: level)
    }

    deinit { unsafe _ = LZ4F_freeCompressionContext(context) }

    /// Appends the frame's beginning.
    mutating func begin(into output: inout ByteBuffer) {
        unsafe output.appendInPlace(Int(LZ4F_HEADER_SIZE_MAX)) { target in
            // SAFETY: the room is what the library asks for.
            unsafe Self.written(
                LZ4F_compressBegin(context, target.baseAddress, target.count, &preferences))
        }
    }

    /// Compresses `bytes`; some of what comes out may wait for the next call.
    mutating func append(_ bytes: ByteSlice, into output: inout ByteBuffer) {
        let bound = unsafe LZ4F_compressBound(bytes.count, &preferences)
        unsafe output.appendInPlace(bound) { target in
            // SAFETY: the room is what the library asks for; the source is `count` bytes long.
            unsafe Self.written(
                LZ4F_compressUpdate(
                    context, target.baseAddress, target.count, bytes.pointer, bytes.count, nil))
        }
    }

    /// Appends the frame's end.
    mutating func finish(into output: inout ByteBuffer) {
        let bound = unsafe LZ4F_compressBound(0, &preferences)
        unsafe output.appendInPlace(bound) { target in
            // SAFETY: the room is what the library asks for.
            unsafe Self.written(
                LZ4F_compressEnd(context, target.baseAddress, target.count, nil))
        }
    }

    private static func written(_ result: Int) -> Int {
        precondition(LZ4F_isError(result) == 0, "compression by liblz4 failed")
        return result
    }
}

/// Expands a frame, piece by piece, into room that the caller bounds.
@safe
struct LZ4Expander: ~Copyable {
    private let context: OpaquePointer
    /// The frame's last byte was read.
    private(set) var isDone = false
    private(set) var hasBegun = false

    init() {
        var context: OpaquePointer?
        // SAFETY: the library fills in the pointer, or says that it is out of memory.
        let result = unsafe LZ4F_createDecompressionContext(&context, UInt32(LZ4F_VERSION))
        guard LZ4F_isError(result) == 0, let context = unsafe context else {
            fatalError("out of memory")
        }
        unsafe self.context = context
    }

    deinit { unsafe _ = LZ4F_freeDecompressionContext(context) }

    /// Expands some of `input` into `target`: at least one byte is read or written unless there is none of
    /// either, or the frame is done.
    ///
    /// - Returns: how many bytes were read, and written; nil if `input` is no frame.
    mutating func expand(_ input: ByteSlice, into target: UnsafeMutableRawBufferPointer) -> (
        read: Int, written: Int
    )? {
        var read = input.count
        var written = target.count
        // SAFETY: the library reads and writes at most the counts given.
        let result = unsafe LZ4F_decompress(
            context, target.baseAddress, &written, input.pointer, &read, nil)
        if LZ4F_isError(result) != 0 { return nil }
        if read > 0 { hasBegun = true }
        isDone = result == 0 && hasBegun
        return (read, written)
    }
}

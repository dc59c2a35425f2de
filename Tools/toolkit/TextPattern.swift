internal import CPCRE2
public import HoldfastBytes

/// A regular expression (PCRE2) with bounds on the work that one text may cause.
///
/// For one thread.
@safe
public final class TextPattern {
    private let code: OpaquePointer
    private let match: OpaquePointer
    private let limits: OpaquePointer

    /// Steps of the matcher per text, and its memory in KiB.
    private static let stepsMax: UInt32 = 1_000_000
    private static let memoryMax: UInt32 = 8 << 10

    /// - Throws: `UsageError` that says where in the pattern the mistake is.
    public init(_ pattern: String) throws(UsageError) {
        var failure: Int32 = 0
        var offset = 0
        // SAFETY: the pattern's bytes live through the call, which copies what it needs; both results are ours.
        let compiled: OpaquePointer? = unsafe pattern.withSlice { bytes in
            unsafe pcre2_compile_8(
                bytes.pointer.assumingMemoryBound(to: UInt8.self), bytes.count, 0, &failure,
                &offset, nil)
        }
        guard let compiled = unsafe compiled else {
            throw UsageError(
                "the pattern \(pattern) is wrong at character \(offset): \(Self.message(failure))")
        }
        // SAFETY: null is PCRE2's "out of memory", which ends the program everywhere else, too.
        guard let match = unsafe pcre2_match_data_create_from_pattern_8(compiled, nil),
            let limits = unsafe pcre2_match_context_create_8(nil)
        else { fatalError("out of memory") }
        unsafe pcre2_set_match_limit_8(limits, Self.stepsMax)
        unsafe pcre2_set_depth_limit_8(limits, Self.stepsMax)
        unsafe pcre2_set_heap_limit_8(limits, Self.memoryMax)
        unsafe self.code = compiled
        unsafe self.match = match
        unsafe self.limits = limits
    }

    deinit {
        // SAFETY: made in init, used nowhere else.
        unsafe pcre2_match_context_free_8(limits)
        unsafe pcre2_match_data_free_8(match)
        unsafe pcre2_code_free_8(code)
    }

    /// Whether the pattern is found in `text`.
    ///
    /// - Throws: `UsageError` when it takes too much work to tell: a pattern that explodes is a mistake to name,
    ///   not to guess about.
    public func isFound(in text: ByteSlice) throws(UsageError) -> Bool {
        // SAFETY: the text's bytes live through the call, and it keeps nothing of them that is used later.
        let result = unsafe pcre2_match_8(
            code, text.pointer.assumingMemoryBound(to: UInt8.self), text.count, 0, 0, match, limits)
        if result >= 0 { return true }
        if result == PCRE2_ERROR_NOMATCH { return false }
        throw UsageError(
            "the pattern takes too much work on a key of \(text.count) bytes: \(Self.message(result))"
        )
    }

    private static func message(_ code: Int32) -> String {
        var text = [UInt8](repeating: 0, count: 256)
        // SAFETY: PCRE2 writes at most the buffer's size, terminated.
        let length = unsafe pcre2_get_error_message_8(code, &text, 256)
        guard length > 0 else { return "error \(code)" }
        return String(decoding: text.prefix(Int(length)), as: UTF8.self)
    }
}

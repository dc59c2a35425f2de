public import FuzzTargets
internal import Glibc

/// libFuzzer's entry, which owns the process from here on.
@_silgen_name("LLVMFuzzerRunDriver")
private func runDriver(
    _ count: UnsafeMutablePointer<CInt>,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ target: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
) -> CInt

/// Hands the process to libFuzzer.
public enum Driver {
    /// - Parameter target: is called with each input; a C function, so it can't capture anything.
    @unsafe public static func run(
        _ target: @convention(c) (UnsafePointer<UInt8>?, Int) -> CInt
    ) -> Never {
        var count = CommandLine.argc
        var arguments = unsafe CommandLine.unsafeArgv
        exit(unsafe runDriver(&count, &arguments, target))
    }

    /// Runs one input; a failure ends the process, which libFuzzer records.
    @unsafe public static func feed(
        _ target: FuzzTarget, _ bytes: UnsafePointer<UInt8>?, _ count: Int
    ) -> CInt {
        // SAFETY: libFuzzer gives `count` readable bytes.
        let input = unsafe Array(UnsafeBufferPointer(start: bytes, count: count))
        do throws(FuzzFailure) {
            try target.run(input)
        } catch { fatalError(error.description) }
        return 0
    }
}

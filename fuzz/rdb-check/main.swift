internal import FuzzDriver
internal import FuzzTargets

/// What libFuzzer calls with each input; it insists on the name.
@_cdecl("LLVMFuzzerTestOneInput")
func testOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // SAFETY: the bytes are handed on as they came.
    unsafe Driver.feed(.rdbCheck, bytes, count)
}

// SAFETY: the function takes what libFuzzer gives.
unsafe Driver.run { unsafe testOneInput($0, $1) }

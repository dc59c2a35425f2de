internal import FuzzDriver

// SAFETY: the bytes are handed on as libFuzzer gave them.
unsafe Driver.run { unsafe Driver.feed(.resp, $0, $1) }

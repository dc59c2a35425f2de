internal import FuzzDriver

// SAFETY: the bytes are handed on as libFuzzer gave them.
unsafe Driver.run { unsafe Driver.feed(.canary, $0, $1) }

internal import FuzzDriver

// SAFETY: the bytes are handed on as libFuzzer gave them.
unsafe Driver.run { unsafe Driver.feed(.commands, $0, $1) }

/// Fails on one word and on nothing else, one comparison at a time, so that a fuzzer can find it.
enum CanaryTarget {
    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var matched = 0
        for (byte, due) in zip(bytes, "tweet".utf8) {
            if byte != due { return }
            matched += 1
        }
        try expect(matched < 5, "the canary sings, as it should")
    }
}

internal import HoldfastBytes
internal import HoldfastPlatform
internal import HoldfastRESP
internal import TestSupport

/// Requests. However the input is cut into pieces, the same commands come out, and the same error; what is
/// called canonical is so to the byte. The first byte says how to cut.
enum RESPTarget {
    private struct Command: Equatable {
        var words: [[UInt8]]
        var end: Int
        var canonical: [UInt8]
    }

    private struct Outcome: Equatable {
        var commands: [Command] = []
        var error: String?
        var used = 0
    }

    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        guard let seed = bytes.first else { return }
        let input = Array(bytes.dropFirst())
        let whole = decode(input, ends: [input.count])
        var random = PRNG(seed: UInt64(seed))
        var ends: [Int] = []
        while (ends.last ?? 0) < input.count {
            ends.append(min((ends.last ?? 0) + 1 + random.below(seed == 0 ? 1 : 40), input.count))
        }
        let pieces = decode(input, ends: ends)
        try expect(pieces == whole, "\(pieces) in pieces ending at \(ends), \(whole) as a whole")
        try checkForms(whole, input)
    }

    private static func checkForms(_ outcome: Outcome, _ input: [UInt8]) throws(FuzzFailure) {
        var start = 0
        for command in outcome.commands {
            try expect(command.end > start && command.end <= input.count, "end \(command.end)")
            let encoded = Request.encode(command.words)
            let came = input[start..<command.end]
            let isCanonical =
                came.count >= encoded.count && Array(came.suffix(encoded.count)) == encoded
            try expect(
                command.canonical == (isCanonical ? encoded : []),
                "canonical: \(command.canonical), but came \(Array(came))")
            let line = command.words.map { QuotedWords.quotedRepresentation($0) }
                .joined(separator: " ")
            let split = line.withSlice { QuotedWords.split($0) }
            try expect(split == command.words, "quoted as \(line)")
            start = command.end
        }
    }

    private static func decode(_ input: [UInt8], ends: [Int]) -> Outcome {
        var outcome = Outcome()
        var decoder = CommandDecoder()
        var batch = CommandBatch()
        var start = 0
        for end in ends where outcome.error == nil {
            var isMore = true
            while isMore && outcome.error == nil {
                // A copy, so that nothing can point into an earlier call's input.
                let piece = Array(input[start..<end])
                var used = 0
                piece.withSlice { slice in
                    do throws(ProtocolError) {
                        used = try decoder.decode(slice, into: &batch, limits: RESPLimits())
                    } catch { outcome.error = error.reason }
                    for index in 0..<batch.count {
                        let arguments = batch.arguments(of: index)
                        outcome.commands.append(
                            Command(
                                words: (0..<arguments.count).map { arguments[$0].copyToArray() },
                                end: start + batch[index].end,
                                canonical: batch[index].canonical.copyToArray()))
                    }
                }
                isMore = batch.isFull
                batch.removeAll()
                start += used
            }
        }
        // How far a failed call had got is not told.
        outcome.used = outcome.error == nil ? start : 0
        return outcome
    }
}

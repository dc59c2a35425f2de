/// Streams as DUMP has them, in each of their three forms: macro nodes, groups, pending entries, consumers. What
/// must hold is what must hold of any payload.
///
/// The first byte picks the form and what the restore target's first byte picks.
enum StreamTarget {
    private static let forms: [UInt8] = [15, 19, 21]

    static func run(_ bytes: [UInt8]) throws(FuzzFailure) {
        var input = InputCursor(bytes)
        let head = input.byte()
        let form = forms[(head >> 2) % forms.count]
        try RestoreTarget.run([UInt8(head & 3), form] + input.rest())
    }
}

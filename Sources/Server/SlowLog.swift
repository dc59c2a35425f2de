internal import HoldfastBytes
internal import HoldfastRESP

/// The commands that took longest lately, newest first.
struct SlowLog {
    struct Entry {
        var id: Int64
        var unixSeconds: Int64
        var microseconds: Int64
        var words: [[UInt8]]
        var address: String
        var name: [UInt8]
    }

    private static let wordsMax = 32
    private static let wordBytesMax = 128

    private(set) var entries: [Entry] = []
    private var nextID: Int64 = 0
    /// `slowlog-max-len`.
    var lengthMax = 128 {
        didSet { trim() }
    }

    mutating func add(
        _ arguments: Arguments, hiding secrets: Set<Int> = [], microseconds: Int64,
        unixSeconds: Int64, address: String,
        name: [UInt8]
    ) {
        let entry = Entry(
            id: nextID, unixSeconds: unixSeconds, microseconds: microseconds,
            words: Self.shorten(arguments, hiding: secrets), address: address, name: name)
        nextID += 1
        entries.insert(entry, at: 0)
        trim()
    }

    mutating func reset() { entries = [] }

    private mutating func trim() {
        if entries.count > lengthMax { entries.removeLast(entries.count - lengthMax) }
    }

    /// At most 32 words of at most 128 bytes; what is left out is counted.
    private static func shorten(_ arguments: Arguments, hiding secrets: Set<Int>) -> [[UInt8]] {
        let shown = arguments.count <= wordsMax ? arguments.count : wordsMax - 1
        var words: [[UInt8]] = []
        for index in 0..<shown {
            let word = arguments[index]
            if secrets.contains(index) {
                words.append(Array("(redacted)".utf8))
            } else if word.count > wordBytesMax {
                words.append(
                    word.prefix(wordBytesMax).copyToArray()
                        + Array("... (\(word.count - wordBytesMax) more bytes)".utf8))
            } else {
                words.append(word.copyToArray())
            }
        }
        if arguments.count > shown {
            words.append(Array("... (\(arguments.count - shown) more arguments)".utf8))
        }
        return words
    }
}

public import HoldfastBytes

/// A key among a command's words.
public struct KeyPosition: Sendable, Equatable {
    /// The word's index; word 0 is the command's name.
    public var index: Int
    /// What the command does with this key, given these words.
    public var flags: KeyFlags
}

/// Commands whose keys or key flags the specifications can't tell fully; each has its own reading.
enum KeySearchByHand: Sendable {
    case set
    case bitfield
    case sort
    case sortReadOnly
    case migrate

    init?(commandName: String) {
        switch commandName {
        case "set": self = .set
        case "bitfield": self = .bitfield
        case "sort": self = .sort
        case "sort_ro": self = .sortReadOnly
        case "migrate": self = .migrate
        default: return nil
        }
    }
}

extension CommandSpec {
    /// Whether the command can have keys at all.
    public var hasKeys: Bool {
        searchByHand != nil || keys.contains { !$0.flags.contains(.notKey) }
    }

    /// The keys among a command's words, in the order of the specifications, as COMMAND GETKEYS tells.
    ///
    /// - Parameters:
    ///   - count: how many words there are, with the command's name; not checked against the arity.
    ///   - word: the word at an index below `count`.
    /// - Returns: nil if the words make no sense as this command's; empty if they name no key.
    public func findKeys(count: Int, word: (Int) -> ByteSlice) -> [KeyPosition]? {
        var found: [KeyPosition] = []
        return findKeys(count: count, word: word, into: &found) ? found : nil
    }

    /// As `findKeys(count:word:)`, into an array that the caller keeps.
    ///
    /// - Returns: false, with `found` empty, where the other form returns nil.
    public func findKeys(
        count: Int, word: (Int) -> ByteSlice, into found: inout [KeyPosition]
    ) -> Bool {
        found.removeAll(keepingCapacity: true)
        // A specification that is right about the keys but not about the flags is no help.
        if !keys.contains(where: { $0.flags.contains(.variableFlags) }) {
            if keys.allSatisfy({ $0.find(count: count, word: word, into: &found) }) { return true }
            found.removeAll(keepingCapacity: true)
        }
        guard let searchByHand else { return false }
        return searchByHand.find(count: count, word: word, into: &found)
    }
}

extension KeySpec {
    /// False if the words don't fit the specification, or it doesn't tell everything.
    func find(count: Int, word: (Int) -> ByteSlice, into found: inout [KeyPosition]) -> Bool {
        if flags.contains(.notKey) { return true }
        var first: Int
        switch begin {
        case .index(let index): first = index
        case .keyword(let keyword, let from):
            guard let at = Self.search(keyword, from: from, count: count, word: word) else {
                return true
            }
            first = at + 1
        case .unknown: return false
        }
        let last: Int
        let step: Int
        switch find {
        case .range(let offset, let every, let limit):
            step = every
            if offset >= 0 {
                last = first + offset
            } else if limit == 0 {
                last = count + offset
            } else {
                last = first + (count - first) / limit + offset
            }
        case .counted(let numberAt, let firstAt, let every):
            step = every
            guard first + numberAt < count,
                let number = DecimalText.parse(word(first + numberAt)), number >= 0,
                number <= Int64(count)
            else { return false }
            first += firstAt
            last = first + (Int(number) - 1) * step
        case .unknown: return false
        }
        guard first < count, last < count, last >= first else { return false }
        for index in stride(from: first, through: last, by: step) {
            found.append(KeyPosition(index: index, flags: flags))
        }
        return !flags.contains(.incomplete)
    }

    private static func search(
        _ keyword: String, from: Int, count: Int, word: (Int) -> ByteSlice
    ) -> Int? {
        // A keyword at the far end of the search has nothing to say, so that word isn't looked at.
        if from > 0 {
            return from < count - 1 ? (from..<count - 1).first { word($0).spells(keyword) } : nil
        }
        let start = count + from
        return start > 1
            ? stride(from: start, to: 1, by: -1).first { word($0).spells(keyword) } : nil
    }
}

extension KeySearchByHand {
    func find(count: Int, word: (Int) -> ByteSlice, into found: inout [KeyPosition]) -> Bool {
        if count < 2 { return false }
        switch self {
        case .set:
            let returnsOld =
                count > 3 && (3..<count).contains { word($0).equalsIgnoringCase("get") }
            found.append(
                KeyPosition(
                    index: 1, flags: returnsOld ? [.rw, .access, .update] : [.ow, .update]))
        case .bitfield:
            let reads = Self.onlyReads(count: count, word: word)
            found.append(
                KeyPosition(index: 1, flags: reads ? [.ro, .access] : [.rw, .access, .update]))
        case .sortReadOnly:
            found.append(KeyPosition(index: 1, flags: [.ro, .access]))
        case .sort:
            found.append(KeyPosition(index: 1, flags: [.ro, .access]))
            if let store = Self.sortDestination(count: count, word: word) {
                found.append(KeyPosition(index: store, flags: [.ow, .update]))
            }
        case .migrate:
            guard count > 3 else { return false }
            for index in Self.migrated(count: count, word: word) {
                found.append(KeyPosition(index: index, flags: [.rw, .access, .delete]))
            }
            return !found.isEmpty
        }
        return true
    }

    /// Whether BITFIELD's operations are all GET.
    private static func onlyReads(count: Int, word: (Int) -> ByteSlice) -> Bool {
        var index = 2
        while index < count {
            let left = count - index - 1
            if word(index).equalsIgnoringCase("get") && left >= 2 {
                index += 3
            } else if word(index).equalsIgnoringCase("overflow") && left >= 1 {
                index += 2
            } else {
                return false
            }
        }
        return true
    }

    /// Where SORT's destination stands: the last STORE counts, as it does for SORT itself.
    private static func sortDestination(count: Int, word: (Int) -> ByteSlice) -> Int? {
        var index = 2
        var store: Int?
        while index < count {
            let option = word(index)
            if option.equalsIgnoringCase("limit") {
                index += 2
            } else if option.equalsIgnoringCase("get") || option.equalsIgnoringCase("by") {
                index += 1
            } else if option.equalsIgnoringCase("store") && index + 1 < count {
                store = index + 1
            }
            index += 1
        }
        return store
    }

    /// MIGRATE's keys: the third argument, or all after KEYS if that is empty.
    private static func migrated(count: Int, word: (Int) -> ByteSlice) -> Range<Int> {
        var index = 6
        while index < count {
            let option = word(index)
            if option.equalsIgnoringCase("keys") {
                return word(3).isEmpty ? index + 1..<count : 0..<0
            }
            if option.equalsIgnoringCase("auth") { index += 1 }
            if option.equalsIgnoringCase("auth2") { index += 2 }
            index += 1
        }
        return 3..<4
    }
}

extension ByteSlice {
    /// Whether the bytes are `text`, ASCII letters in any case.
    func spells(_ text: String) -> Bool {
        guard count == text.utf8.count else { return false }
        var index = 0
        for byte in text.utf8 {
            let own = self[index]
            let folded = own &- 65 < 26 ? own | 0x20 : own
            if folded != (byte &- 65 < 26 ? byte | 0x20 : byte) { return false }
            index += 1
        }
        return true
    }
}

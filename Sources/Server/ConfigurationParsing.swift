internal import HoldfastBytes
internal import HoldfastPlatform

/// Why a value doesn't fit its directive, in Redis's words where Redis has them.
public struct ConfigurationRefusal: Error, Equatable, Sendable {
    public let reason: String
    public init(_ reason: String) { self.reason = reason }
}

/// Words to values, each kind with its bounds and its error texts.
extension Directive {
    /// The value that `words` spell.
    /// - Parameters:
    ///   - current: what the setting holds now; some forms change a part of it only.
    ///   - accumulates: whether save points are added to the current ones (a second line in a file).
    ///   - folder: what relative folders are relative to.
    func parse(
        _ words: [[UInt8]], current: ConfigurationValue, accumulates: Bool, folder: String
    ) throws(ConfigurationRefusal) -> ConfigurationValue {
        switch kind {
        case .flag: return .flag(try parseFlag(words))
        case .number(_, let unit, let bounds):
            let number = try Self.parseNumber(words.first ?? [], unit)
            try Self.check(number, unit, bounds)
            // Redis accepts any frequency and corrects it at its next tick.
            return .number(setting == .hz ? min(max(number, 1), 500) : number)
        case .choice(let choices, _): return .choice(try parseChoice(words, choices))
        case .text(_, let rule): return .text(try parseText(words.first ?? [], rule))
        case .folder: return .text(try parseFolder(words.first ?? [], in: folder))
        case .addresses: return .addresses(try Self.parseAddresses(words))
        case .savePoints:
            var points: [SavePoint] = []
            if accumulates, case .savePoints(let held) = current { points = held }
            return .savePoints(try Self.parseSavePoints(words, after: points))
        case .bufferLimits:
            var limits = BufferLimits()
            if case .bufferLimits(let held) = current { limits = held }
            try Self.parseBufferLimits(words, into: &limits)
            return .bufferLimits(limits)
        case .percentiles: return .percentiles(try Self.parsePercentiles(words))
        case .scores: return .scores(try Self.parseScores(words))
        case .keyEvents:
            guard let events = KeyEvents(words.first ?? []) else {
                throw ConfigurationRefusal(
                    "Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")
            }
            return .keyEvents(events)
        case .primary: return .primary(try Self.parsePrimary(words))
        }
    }

    /// What the setting starts with in `folder`.
    func defaultValue(in folder: String) -> ConfigurationValue {
        switch kind {
        case .flag(let isOn): return .flag(isOn)
        case .number(let number, _, _): return .number(number)
        case .choice(_, let chosen): return .choice(chosen)
        case .text(let text, _): return .text(Array(text.utf8))
        case .folder: return .text(Array(folder.utf8))
        case .bufferLimits: return .bufferLimits(BufferLimits())
        case .keyEvents: return .keyEvents([])
        case .primary: return .primary(nil)
        case .addresses(let text), .savePoints(let text), .percentiles(let text),
            .scores(let text):
            let words = text.split(separator: " ").map { Array($0.utf8) }
            let none = ConfigurationValue.savePoints([])
            do throws(ConfigurationRefusal) {
                return try parse(words, current: none, accumulates: false, folder: folder)
            } catch {
                preconditionFailure("default of \(name): \(error.reason)")
            }
        }
    }

    // MARK: Single words

    private func parseFlag(_ words: [[UInt8]]) throws(ConfigurationRefusal) -> Bool {
        switch Self.lowercase(words.first ?? []) {
        case "yes":
            if setting == .activedefrag {
                throw ConfigurationRefusal(
                    "Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified Jemalloc like the one shipped by default with the Redis source distribution"
                )
            }
            return true
        case "no": return false
        default: throw ConfigurationRefusal("argument must be 'yes' or 'no'")
        }
    }

    private func parseChoice(
        _ words: [[UInt8]], _ choices: Choices
    ) throws(ConfigurationRefusal) -> Int {
        let names = choices.names
        let chosen = words.map { word in names.firstIndex(of: Self.lowercase(word)) }
        let indexes = chosen.compactMap { $0 }
        guard !words.isEmpty, indexes.count == words.count else {
            throw ConfigurationRefusal(
                "argument(s) must be one of the following: \(names.joined(separator: ", "))")
        }
        guard case .shutdown = choices else { return indexes[0] }
        let flags = indexes.reduce(0) { $1 == 0 ? $0 : $0 | 1 << ($1 - 1) }
        if flags & 3 == 3 {
            throw ConfigurationRefusal(
                "shutdown options SAVE and NOSAVE can't be used simultaneously")
        }
        return flags
    }

    private func parseText(
        _ word: [UInt8], _ rule: TextRule
    ) throws(ConfigurationRefusal) -> [UInt8] {
        if case .binary = rule { return word }
        let word = Array(word.prefix { $0 != 0 })
        let isPath = word.contains(UInt8(ascii: "/"))
        switch rule {
        case .free, .binary: break
        case .fileName:
            if isPath { throw ConfigurationRefusal("\(name) can't be a path, just a filename") }
        case .nonEmptyFileName, .nonEmptyFolderName:
            if word.isEmpty { throw ConfigurationRefusal("\(name) can't be empty") }
            if isPath {
                let what = if case .nonEmptyFileName = rule { "filename" } else { "dirname" }
                throw ConfigurationRefusal("\(name) can't be a path, just a \(what)")
            }
        case .titleTemplate:
            if !Self.isTitleTemplate(word) {
                throw ConfigurationRefusal(
                    "template format is invalid or contains unknown variables")
            }
        case .hostName:
            if word.count >= 256 {
                throw ConfigurationRefusal("Hostnames must be less than 256 characters")
            }
            if !word.allSatisfy({ Self.isAlphanumeric($0) || $0 == 45 || $0 == 46 }) {
                throw ConfigurationRefusal(
                    "Hostnames may only contain alphanumeric characters, hyphens or dots")
            }
        case .nodeName:
            let isPlain = word.allSatisfy { byte in
                Self.isAlphanumeric(byte) || byte == 45 || byte == 46 || byte == 95
            }
            if word.count >= 128 {
                throw ConfigurationRefusal("Node names must be less than 128 characters")
            }
            if !isPlain {
                throw ConfigurationRefusal(
                    "Announced human node name contained invalid character")
            }
        }
        return word
    }

    private func parseFolder(
        _ word: [UInt8], in folder: String
    ) throws(ConfigurationRefusal) -> [UInt8] {
        let path = String(decoding: word.prefix { $0 != 0 }, as: UTF8.self)
        if path.isEmpty { throw ConfigurationRefusal("No such file or directory") }
        do throws(SystemError) {
            let absolute = path.hasPrefix("/") ? path : "\(folder)/\(path)"
            return Array(try SmallFile.resolveFolder(absolute).utf8)
        } catch {
            throw ConfigurationRefusal(error.reason)
        }
    }

    private static func isTitleTemplate(_ template: [UInt8]) -> Bool {
        let variables = [
            "title", "listen-addr", "server-mode", "port", "tls-port", "unixsocket", "config-file",
        ]
        if template.isEmpty { return false }
        var rest = template[...]
        while let open = rest.firstIndex(of: UInt8(ascii: "{")) {
            guard let close = rest[open...].firstIndex(of: UInt8(ascii: "}")) else { return false }
            let variable = String(decoding: rest[(open + 1)..<close], as: UTF8.self)
            if !variables.contains(variable) { return false }
            rest = rest[(close + 1)...]
        }
        return true
    }

    static func lowercase(_ word: [UInt8]) -> String {
        String(decoding: word.map { $0 &- 65 < 26 ? $0 | 0x20 : $0 }, as: UTF8.self)
    }

    private static func isAlphanumeric(_ byte: UInt8) -> Bool {
        byte &- 48 < 10 || (byte | 0x20) &- 97 < 26
    }

    // MARK: Numbers

    private static func parseNumber(
        _ word: [UInt8], _ unit: Unit
    ) throws(ConfigurationRefusal) -> Int64 {
        switch unit {
        case .plain:
            if let number = word.withSlice({ DecimalText.parse($0) }) { return number }
            throw ConfigurationRefusal("argument couldn't be parsed into an integer")
        case .memory:
            if let bytes = memoryBytes(word) { return Int64(bitPattern: bytes) }
            throw ConfigurationRefusal("argument must be a memory value")
        case .memoryOrPercent:
            if let bytes = memoryBytes(word) { return Int64(bitPattern: bytes) }
            if word.last == UInt8(ascii: "%"),
                let percent = Array(word.dropLast()).withSlice({ DecimalText.parse($0) }),
                percent >= 0
            {
                return -percent
            }
            throw ConfigurationRefusal("argument must be a memory or percent value")
        case .octal:
            if let number = cInteger(word, radix: 8) { return number }
            throw ConfigurationRefusal("argument couldn't be parsed as an octal number")
        }
    }

    private static func check(
        _ number: Int64, _ unit: Unit, _ bounds: Bounds
    ) throws(ConfigurationRefusal) {
        guard case .range(let low, let high) = bounds else { return }
        if case .memoryOrPercent = unit, number < 0 {
            if number < low {
                throw ConfigurationRefusal("percentage argument must be less or equal to \(-low)")
            }
            return
        }
        if number < low || number > high {
            let radix = if case .octal = unit { 8 } else { 10 }
            let from = String(low, radix: radix)
            let to = String(high, radix: radix)
            throw ConfigurationRefusal("argument must be between \(from) and \(to) inclusive")
        }
    }

    /// Digits and an optional unit: `b`, `k` 1000, `kb` 1024, `m`, `mb`, `g`, `gb`, any case.
    ///
    /// As in Redis no digits are zero, a number too large for 64 bits is the largest one, and the unit
    /// multiplies modulo 2^64.
    static func memoryBytes(_ word: [UInt8]) -> UInt64? {
        let digits = word.prefix { $0 &- 48 < 10 }
        guard digits.count < 128 else { return nil }
        let unit: UInt64
        switch lowercase(Array(word[digits.count...])) {
        case "", "b": unit = 1
        case "k": unit = 1000
        case "kb": unit = 1 << 10
        case "m": unit = 1_000_000
        case "mb": unit = 1 << 20
        case "g": unit = 1_000_000_000
        case "gb": unit = 1 << 30
        default: return nil
        }
        var number: UInt64 = 0
        for digit in digits {
            let (product, overflowed) = number.multipliedReportingOverflow(by: 10)
            let (sum, carried) = product.addingReportingOverflow(UInt64(digit &- 48))
            if overflowed || carried { return UInt64.max &* unit }
            number = sum
        }
        return number &* unit
    }

    /// As C's strtoll on the whole word: leading blanks and a sign are fine, an empty word is zero, and
    /// what is too large is the largest number.
    private static func cInteger(_ word: [UInt8], radix: Int = 10) -> Int64? {
        if word.isEmpty { return 0 }
        var rest = word.drop { $0 == 32 || ($0 >= 9 && $0 <= 13) }
        let isNegative = rest.first == UInt8(ascii: "-")
        if isNegative || rest.first == UInt8(ascii: "+") { rest = rest.dropFirst() }
        guard !rest.isEmpty, rest.allSatisfy({ Int($0 &- 48) < radix }) else { return nil }
        var number: Int64 = 0
        for digit in rest {
            let step = Int64(digit &- 48)
            let (product, overflowed) = number.multipliedReportingOverflow(by: Int64(radix))
            let (sum, carried) =
                isNegative
                ? product.subtractingReportingOverflow(step)
                : product.addingReportingOverflow(step)
            if overflowed || carried { return isNegative ? Int64.min : Int64.max }
            number = sum
        }
        return number
    }

    // MARK: Several words

    private static func parseAddresses(_ words: [[UInt8]]) throws(ConfigurationRefusal) -> [String]
    {
        if words.count > 16 { throw ConfigurationRefusal("Too many bind addresses specified.") }
        if words == [[]] { return [] }
        return words.map { String(decoding: $0, as: UTF8.self) }
    }

    private static func parseSavePoints(
        _ words: [[UInt8]], after held: [SavePoint]
    ) throws(ConfigurationRefusal) -> [SavePoint] {
        if words == [[]] || words.isEmpty { return [] }
        var points = held
        var pending: Int64?
        for word in words {
            guard let number = cInteger(word), number >= (pending == nil ? 1 : 0) else {
                throw ConfigurationRefusal("Invalid save parameters")
            }
            if let seconds = pending {
                points.append(SavePoint(seconds: seconds, changes: number))
                pending = nil
            } else {
                pending = number
            }
        }
        if pending != nil { throw ConfigurationRefusal("Invalid save parameters") }
        return points
    }

    private static func parseBufferLimits(
        _ words: [[UInt8]], into limits: inout BufferLimits
    ) throws(ConfigurationRefusal) {
        guard words.count.isMultiple(of: 4) else {
            throw ConfigurationRefusal("Wrong number of arguments in buffer limit configuration.")
        }
        for start in stride(from: 0, to: words.count, by: 4) {
            let target: WritableKeyPath<BufferLimits, BufferLimit>
            switch lowercase(words[start]) {
            case "normal": target = \.normal
            case "slave", "replica": target = \.replica
            case "pubsub": target = \.pubsub
            default:
                throw ConfigurationRefusal(
                    "Invalid client class specified in buffer limit configuration.")
            }
            guard let hard = memoryBytes(words[start + 1]),
                let soft = memoryBytes(words[start + 2]),
                let seconds = cInteger(words[start + 3]), seconds >= 0
            else {
                throw ConfigurationRefusal(
                    "Error in hard, soft or soft_seconds setting in buffer limit configuration.")
            }
            limits[keyPath: target] = BufferLimit(
                hardBytes: hard, softBytes: soft, softSeconds: seconds)
        }
    }

    private static func parsePercentiles(
        _ words: [[UInt8]]
    ) throws(ConfigurationRefusal) -> [Double] {
        if words == [[]] { return [] }
        var percentiles: [Double] = []
        for word in words {
            guard let percentile = word.withSlice({ DoubleText.parse($0) }) else {
                throw ConfigurationRefusal("Invalid latency-tracking-info-percentiles parameters")
            }
            guard percentile >= 0 && percentile <= 100 else {
                throw ConfigurationRefusal(
                    "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]")
            }
            percentiles.append(percentile)
        }
        return percentiles
    }

    private static func parseScores(_ words: [[UInt8]]) throws(ConfigurationRefusal) -> [Int] {
        guard words.count == 3 else { throw ConfigurationRefusal("wrong number of arguments") }
        var scores: [Int] = []
        for word in words {
            guard let score = cInteger(word), score >= -2000 && score <= 2000 else {
                throw ConfigurationRefusal(
                    "Invalid oom-score-adj-values, elements must be between -2000 and 2000.")
            }
            scores.append(Int(score))
        }
        return scores
    }

    private static func parsePrimary(
        _ words: [[UInt8]]
    ) throws(ConfigurationRefusal) -> PrimaryAddress? {
        guard words.count == 2 else { throw ConfigurationRefusal("wrong number of arguments") }
        if lowercase(words[0]) == "no" && lowercase(words[1]) == "one" { return nil }
        guard let port = cInteger(words[1]), port >= 0 && port <= 65535 else {
            throw ConfigurationRefusal("Invalid master port")
        }
        return PrimaryAddress(host: String(decoding: words[0], as: UTF8.self), port: Int(port))
    }
}

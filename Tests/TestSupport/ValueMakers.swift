/// Commands for a stock server that leave values of every type and encoding there.
public enum ValueMakers {
    /// For one key, `k`: short values, values at the borders between encodings, and long ones.
    public static let commands: [[String]] = {
        var makers: [[String]] = [
            ["SET k hello"], ["SET k -5"], ["SET k 12345678901"], ["SET k 9223372036854775807"],
            ["SET k 01"], ["SETBIT k 100000 1"], ["APPEND k 12"], ["PFADD k a b c d e"],
            ["RPUSH k a 1 -300 40000"], ["SADD k 1 2 3"], ["SADD k 1 70000 -9000000000"],
            ["SADD k a b c 1 2"], ["HSET k f v n 5 m -70000"],
            ["ZADD k 1 a 2.5 b -inf c inf d 1e300 e 3.0e-5 f"],
            ["XADD k 1-1 f v", "XADD k 1-2 f w", "XADD k 2-0 g v"],
            [
                "XADD k 1-1 f v", "XADD k 1-2 f w", "XADD k 2-0 g v", "XDEL k 1-2",
                "XGROUP CREATE k g 0", "XGROUP CREATE k h $", "XGROUP CREATECONSUMER k g idle",
                "XREADGROUP GROUP g c COUNT 1 STREAMS k >", "XREADGROUP GROUP g d STREAMS k >",
                "XREADGROUP GROUP g c COUNT 2 STREAMS k 0",
            ],
            ["XGROUP CREATE k g $ MKSTREAM"],
        ]
        for count in [3, 130, 600, 3000] { makers += many(count) }
        return makers
    }()

    private static func many(_ count: Int) -> [[String]] {
        let numbers = 0..<count
        let long = String(repeating: "abc", count: 40 + count % 50)
        return [
            ["RPUSH k " + numbers.map { "element\($0) \($0)" }.joined(separator: " ")],
            ["RPUSH k x \(long) 1", "LPUSH k " + String(repeating: "y", count: count * 5)],
            ["SADD k " + numbers.map { "m\($0)" }.joined(separator: " ")],
            ["SADD k " + numbers.map { "\($0 * 7)" }.joined(separator: " ")],
            ["HSET k " + numbers.map { "f\($0) v\($0)" }.joined(separator: " ")],
            ["ZADD k " + numbers.map { "\(Double($0) / 8) m\($0)" }.joined(separator: " ")],
            numbers.map { "XADD k \($0 + 1)-\($0 % 3) field value\($0) n \($0)" },
            ["SADD k x \(long)"],
            ["HSET k x \(long) \(long) y"],
            ["ZADD k 1 x 0.1 \(long)"],
            ["SET k " + String(repeating: "text_of_a_length-", count: count)],
        ]
    }

    /// Fills a stock server: a key for each, over three databases, some with a deadline far off.
    public static func fill(_ connection: RESPConnection) throws {
        for (number, maker) in commands.enumerated() {
            try connection.command("SELECT", "\(number % 3)")
            let requests = maker.map { command in
                command.split(separator: " ").enumerated().map { index, word in
                    word == "k" && index > 0 ? Array("key\(number)".utf8) : Array(word.utf8)
                }
            }
            _ = try connection.pipeline(requests)
            if number % 4 == 0 {
                try connection.command("PEXPIREAT", "key\(number)", "410244480\(number + 1000)")
            }
        }
        try connection.command("SELECT", "0")
    }
}

extension ValueMakers {
    /// Some keys of each type, a few hundred bytes each at most.
    public static func fillSmall(_ connection: RESPConnection) throws {
        for (number, maker) in commands.enumerated() where maker.joined().utf8.count < 300 {
            let requests = maker.map { command in
                command.split(separator: " ").enumerated().map { index, word in
                    word == "k" && index > 0 ? Array("key\(number)".utf8) : Array(word.utf8)
                }
            }
            _ = try connection.pipeline(requests)
        }
    }
}

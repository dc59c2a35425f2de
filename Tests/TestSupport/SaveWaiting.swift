internal import Glibc

extension RESPConnection {
    public struct NeverShown: Error, CustomStringConvertible {
        public let description: String
    }

    /// The value of one field of INFO's section about persistence.
    public func persistence(_ field: String) throws -> String? {
        let text = try command("INFO", "persistence").text ?? ""
        for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix(field + ":") {
            return String(line.dropFirst(field.utf8.count + 1))
        }
        return nil
    }

    /// Asks until INFO shows a field of persistence with this value.
    public func waitFor(_ field: String, _ value: String, seconds: Double = 20) throws {
        try waitFor("\(field):\(value)", seconds: seconds) {
            try persistence(field) == value
        }
    }

    /// Asks until neither a save nor a rewrite is running or due.
    public func waitUntilSaved(seconds: Double = 20) throws {
        try waitFor("the end of a save", seconds: seconds) {
            try persistence("rdb_bgsave_in_progress") == "0"
                && persistence("aof_rewrite_in_progress") == "0"
                && persistence("aof_rewrite_scheduled") == "0"
        }
    }

    /// Asks until `condition` holds.
    public func waitFor(
        _ what: String, seconds: Double = 20, _ condition: () throws -> Bool
    ) throws {
        let start = Int(time(nil))
        while try !condition() {
            guard Double(Int(time(nil)) - start) <= seconds else {
                throw NeverShown(
                    description: "never came: \(what)\n"
                        + (try command("INFO", "persistence").text ?? ""))
            }
            // Another process works; there is nothing to be woken by.
            usleep(2_000)
        }
    }
}

extension RESPConnection {
    /// A field of INFO, of any section.
    public func info(_ field: String) throws -> String? {
        let text = try command("INFO", "everything").text ?? ""
        for line in text.split(whereSeparator: \.isNewline) where line.hasPrefix(field + ":") {
            return String(line.dropFirst(field.utf8.count + 1))
        }
        return nil
    }

    /// Asks a replica until its link to the primary is up.
    public func waitForLink(seconds: Double = 30) throws {
        try waitFor("a link that is up", seconds: seconds) {
            try info("master_link_status") == "up"
        }
    }

    /// Asks until a replica has applied all that `primary` has.
    public func waitToCatchUp(with primary: RESPConnection, seconds: Double = 30) throws {
        try waitFor("the primary's offset", seconds: seconds) {
            try info("master_link_status") == "up"
                && info("slave_repl_offset") == primary.info("master_repl_offset")
        }
    }

    /// How many resyncs a primary has served: full ones, partial ones, partial ones that were refused.
    public func resyncs() throws -> [String] {
        try ["sync_full", "sync_partial_ok", "sync_partial_err"].map { try info($0) ?? "-" }
    }
}

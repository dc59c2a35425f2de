/// One of the numbered databases: its keys and what is due among them.
struct NumberedDatabase: ~Copyable {
    var table = Table()
    /// Of keys.
    var deadlines = DeadlineIndex()
    /// Of the hash at a key: before that time no field of it expires.
    var fieldDeadlines = DeadlineIndex()

    init() {}
}

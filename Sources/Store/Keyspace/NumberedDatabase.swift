/// One of the numbered databases: its keys and what is due among them.
struct NumberedDatabase: ~Copyable {
    var table = Table()
    var deadlines = DeadlineIndex()

    init() {}
}

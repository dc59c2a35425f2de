extension SortedSetRoot {
    /// Calls `body` with every member, the highest score first; nothing may change meanwhile.
    public func forEachDescending<E: Error>(
        _ body: (SortedSetItem) throws(E) -> Void
    ) throws(E) {
        guard count > 0 else { return }
        var cursor = tree.last()
        repeat { try body(cursor.element) } while cursor.previous()
    }
}

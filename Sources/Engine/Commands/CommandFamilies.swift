/// All families of commands on data, one a line.
public enum CommandFamilies {
    public static let data: [[CommandSpec]] = [
        StringCommands.table,
        BitmapCommands.table,
        HyperLogLogCommands.table,
        KeyCommands.table,
        DumpCommands.table,
        DatabaseCommands.table,
        ListCommands.table,
        BlockingListCommands.table,
        SetCommands.table,
        HashCommands.table,
        SortedSetCommands.table,
        GeoCommands.table,
        StreamCommands.table,
        SortCommands.table,
    ]
}

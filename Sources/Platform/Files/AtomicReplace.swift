public import HoldfastBytes

/// The only way a file is replaced: the new one is written beside it, synced, renamed over it, and the
/// folder synced. Whatever instant the power fails at, the name holds the old bytes or the new.
public enum AtomicReplace {
    /// Makes `folder/name` hold `bytes`; on return that is durable.
    ///
    /// An error from the first three steps leaves the old file in force. An error from the folder's sync
    /// (`call` is "fsync" on the folder) leaves the new one in force now, with nothing known about what a
    /// power cut would leave; call again until it succeeds.
    /// - Parameter temporary: a name in the same folder that nothing else uses; overwritten if there.
    public static func replace(
        _ name: String, in folder: String, temporary: String, with bytes: ByteSlice,
        on fileSystem: any FileSystem
    ) throws(SystemError) {
        let written = "\(folder)/\(temporary)"
        try write(bytes, to: try fileSystem.open(written, .createOrTruncate))
        try fileSystem.rename(written, to: "\(folder)/\(name)")
        try fileSystem.syncFolder(folder)
    }

    private static func write(_ bytes: ByteSlice, to file: any File) throws(SystemError) {
        defer { file.close() }
        try file.writeAll(bytes, at: 0)
        try file.sync()
    }
}

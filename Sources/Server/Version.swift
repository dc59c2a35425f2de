/// What this program calls itself.
public enum HoldfastVersion {
    /// Our own version, in semantic versioning.
    public static let product = "0.1.0"
    /// The Redis version whose behaviour is followed; reported as `redis_version`.
    public static let redis = "7.2.6"
    /// The build, for `--version` and INFO. A source build has no stamp, so that equal sources give
    /// equal programs.
    public static let build = "0000000000000000"

    /// The line `--version` prints, in the form tools for Redis parse (`v=X.Y.Z`).
    public static let line =
        "Holdfast server v=\(product) sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=\(build) redis=\(redis)"
}

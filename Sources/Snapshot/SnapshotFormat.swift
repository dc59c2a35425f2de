/// RDB files as redis-server writes and reads them, versions 1 to 12.
///
///     "REDIS" and the version in four ASCII digits                          9 bytes
///     { AUX, FUNCTION2, MODULE_AUX }
///     { SELECTDB db  RESIZEDB keys deadlines  { [deadline] [IDLE | FREQ] form key value } }
///     EOF
///     CRC-64 of all bytes before it, little endian; 0: not computed         8 bytes, from version 5 on
///
/// An opcode or a value's form is one byte; lengths and strings are as `LengthCoding` and `StringCoding`
/// say. A payload of DUMP is a form, a value, the version in 2 bytes and the CRC-64, both little endian.
///
/// A server refuses a file or a payload whose version is above its own, whatever is in it. So what we write
/// bears the lowest version that has everything in it, and at least `lowestWritten`.
enum SnapshotFormat {
    static let magic: StaticString = "REDIS"
    static let headerBytes = 9
    static let checksumBytes = 8
    /// Versions with a checksum at the end.
    static let firstWithChecksum = 5
}

/// Versions of the RDB format.
public enum SnapshotVersion {
    /// What can be read.
    public static let readable = 1...12
    /// What can be written on request.
    public static let writable = 9...12
    /// What redis-server 7.0 reads; whoever reads less gets it by name only.
    public static let lowestWritten = 10
    /// What redis-server 7.2 and Valkey write.
    public static let common = 11
    public static let newest = 12
}

/// What stands where a value's form may stand but isn't one.
enum Opcode: UInt8 {
    case slotInfo = 244
    case function = 245
    case functionPreview = 246
    case moduleAux = 247
    case idle = 248
    case frequency = 249
    case aux = 250
    case resize = 251
    case deadlineMilliseconds = 252
    case deadlineSeconds = 253
    case select = 254
    case end = 255
}

/// The form that a value has in a file.
public enum ValueForm: UInt8, Sendable, CaseIterable {
    case string = 0
    case list = 1
    case set = 2
    /// Scores as text.
    case sortedSetText = 3
    case hash = 4
    case sortedSet = 5
    case modulePreview = 6
    case module = 7
    case hashZipmap = 9
    case listZiplist = 10
    case setIntset = 11
    case sortedSetZiplist = 12
    case hashZiplist = 13
    case listOfZiplists = 14
    case stream1 = 15
    case hashListpack = 16
    case sortedSetListpack = 17
    case listOfListpacks = 18
    case stream2 = 19
    case setListpack = 20
    case stream3 = 21
    /// Two forms of hashes with deadlines that only release candidates wrote.
    case hashDeadlinesPreview = 22
    case hashListpackDeadlinesPreview = 23
    case hashDeadlines = 24
    case hashListpackDeadlines = 25

    /// The version of the format that brought it.
    public var version: Int {
        switch self {
        case .string, .list, .set, .sortedSetText, .hash: 1
        case .hashZipmap, .listZiplist, .setIntset, .sortedSetZiplist: 2
        case .hashZiplist: 4
        case .listOfZiplists: 7
        case .sortedSet, .modulePreview, .module: 8
        case .stream1: 9
        case .hashListpack, .sortedSetListpack, .listOfListpacks, .stream2: 10
        case .setListpack, .stream3: 11
        case .hashDeadlinesPreview, .hashListpackDeadlinesPreview, .hashDeadlines,
            .hashListpackDeadlines:
            12
        }
    }

    /// The name that redis-check-rdb prints.
    public var name: StaticString {
        switch self {
        case .string: "string"
        case .list: "list-linked"
        case .set: "set-hashtable"
        case .sortedSetText: "zset-v1"
        case .hash: "hash-hashtable"
        case .sortedSet: "zset-v2"
        case .modulePreview: "module-pre-release"
        case .module: "module-value"
        case .hashZipmap: "hash-zipmap"
        case .listZiplist: "list-ziplist"
        case .setIntset: "set-intset"
        case .sortedSetZiplist: "zset-ziplist"
        case .hashZiplist: "hash-ziplist"
        case .listOfZiplists: "quicklist"
        case .stream1: "stream"
        case .hashListpack: "hash-listpack"
        case .sortedSetListpack: "zset-listpack"
        case .listOfListpacks: "quicklist-v2"
        case .stream2: "stream-v2"
        case .setListpack: "set-listpack"
        case .stream3: "stream-v3"
        case .hashDeadlinesPreview: "hash-metadata-pre-release"
        case .hashListpackDeadlinesPreview: "hash-listpack-pre-release"
        case .hashDeadlines: "hash-hashtable-md"
        case .hashListpackDeadlines: "hash-listpack-md"
        }
    }
}

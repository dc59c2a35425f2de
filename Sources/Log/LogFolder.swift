/// Where a log's files are and what they are called.
public struct LogFolder: Equatable, Sendable {
    /// The server's working directory (`dir`), in which the log folder and an old single AOF stand.
    public let directory: String
    /// `appenddirname`: a bare name.
    public let folderName: String
    /// `appendfilename`: a bare name; all names in the folder begin with it.
    public let fileName: String

    public init(
        directory: String, folderName: String = "appendonlydir",
        fileName: String = "appendonly.aof"
    ) {
        self.directory = directory
        self.folderName = folderName
        self.fileName = fileName
    }

    /// For a file that no folder holds: `singleFilePath` is its path.
    init(standingAlone path: String) {
        if let slash = path.lastIndex(of: "/") {
            // The root's name is empty, as the paths here end without a slash.
            self.init(
                directory: String(path[..<slash]),
                fileName: String(path[path.index(after: slash)...]))
        } else {
            self.init(directory: ".", fileName: path)
        }
    }

    /// The log folder itself.
    public var path: String { "\(directory)/\(folderName)" }
    public var manifestName: String { "\(fileName).manifest" }
    public var temporaryManifestName: String { "temp-\(fileName).manifest" }
    public var manifestPath: String { path(of: manifestName) }
    /// The one file of Redis before version 7.
    public var singleFilePath: String { "\(directory)/\(fileName)" }

    public func path(of name: String) -> String { "\(path)/\(name)" }

    public func segmentName(_ segment: UInt64) -> String { "\(fileName).\(segment).incr.aof" }

    /// Where the bytes are kept that were cut off `name` at `lsn`.
    public func sideFileName(_ name: String, cutAt lsn: LSN) -> String { "\(name).cut-\(lsn)" }

    /// A base in RDB format.
    public func baseName(_ sequence: UInt64) -> String { "\(fileName).\(sequence).base.rdb" }

    /// How the names of bases begin that are not whole yet. What a killed process left is removed at a start.
    public static let temporaryBasePrefix = "temp-rewriteaof-"

    /// The base that an RDB file from elsewhere becomes when the log begins with it. Unlisted, it is litter: the
    /// file from elsewhere is still there.
    public var importedBaseName: String { "\(fileName).imported.base.rdb" }

    /// The number in the name of an incremental file of this log, or nil for any other name.
    public func segment(of name: String) -> UInt64? { number(in: name, suffix: ".incr.aof") }

    /// Whether `name` is that of a base of this log.
    public func isBase(_ name: String) -> Bool {
        name == importedBaseName || baseNumber(of: name) != nil
    }

    /// The number in the name of a base, or nil for any other name.
    public func baseNumber(of name: String) -> UInt64? {
        number(in: name, suffix: ".base.rdb") ?? number(in: name, suffix: ".base.aof")
    }

    private func number(in name: String, suffix: String) -> UInt64? {
        guard name.hasPrefix(fileName + "."), name.hasSuffix(suffix) else { return nil }
        let digits = name.dropFirst(fileName.count + 1).dropLast(suffix.count)
        guard digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let number = UInt64(digits),
            number > 0, number < 1 << 63
        else { return nil }
        return number
    }
}

/// What lies in the folder before anything is read of the log.
struct StartFacts: Equatable {
    enum ManifestState: Equatable { case absent, empty, lists }

    /// `empty`: there, and names no file to load.
    var manifest: ManifestState
    /// The manifest names the old single file as its only one, and the folder doesn't have it: an import
    /// that a crash interrupted between its two steps.
    var importWasInterrupted = false
    /// An old single AOF beside the folder.
    var hasSingleFile = false
    /// A file named like one of ours, unlisted though it holds data.
    var unlistedData: String?
    /// The RDB file that a server without AOF would load.
    var hasDump = false
    var mayStartEmpty = false
}

/// What a start does; decided before anything is changed.
enum StartDecision: Equatable {
    /// Load what the manifest lists.
    case load
    /// Load the old single file, then move it into the folder.
    case importSingleFile
    /// Begin an empty log.
    case fresh
    /// Files that hold data stand in the folder and no manifest names them.
    case refuseUnlisted(String)
    /// Load the RDB file that stands beside an empty log.
    case importDump

    init(_ facts: StartFacts) {
        if facts.hasSingleFile && (facts.importWasInterrupted || facts.manifest != .lists) {
            // Unlisted data beside an old single file: which of the two is the data? Ask.
            if let name = facts.unlistedData, !facts.mayStartEmpty {
                self = .refuseUnlisted(name)
            } else {
                self = .importSingleFile
            }
        } else if let name = facts.unlistedData, facts.manifest == .lists || !facts.mayStartEmpty {
            self = .refuseUnlisted(name)
        } else if facts.manifest == .lists {
            self = .load
        } else if facts.hasDump && !facts.mayStartEmpty {
            self = .importDump
        } else {
            self = .fresh
        }
    }
}

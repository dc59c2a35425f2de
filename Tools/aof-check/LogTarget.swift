internal import HoldfastPlatform
internal import Log
internal import ToolKit

/// What an operand means: a log folder, or one file that is looked at alone.
enum LogTarget {
    case folder(LogFolder)
    case file(String)

    /// What to call it in messages: a path that can be typed.
    var path: String {
        switch self {
        case .folder(let folder): folder.path
        case .file(let path): path
        }
    }

    /// Looks at what stands at `path`: a log folder, the folder in which one stands, a manifest, or a file.
    static func find(_ path: String, on disk: any FileSystem) throws -> LogTarget {
        let path = withoutSlashes(path)
        switch try disk.kind(of: path) {
        case nil: throw SystemError(call: "open", path: path, errno: 2)
        case .other: throw SystemError(call: "open", path: path, errno: 22)
        case .file:
            guard path.hasSuffix(manifestSuffix) else { return .file(path) }
            let (folder, manifest) = split(path)
            return .folder(logFolder(folder, manifest: manifest))
        case .folder: return .folder(try inside(path, disk))
        }
    }

    private static let manifestSuffix = ".manifest"

    private static func inside(_ path: String, _ disk: any FileSystem) throws -> LogFolder {
        let names = try disk.list(path).sorted()
        let manifests = names.filter { $0.hasSuffix(manifestSuffix) && !$0.hasPrefix("temp-") }
        if manifests.count > 1 {
            throw UsageError("\(path) holds \(manifests.count) manifests; name one of them")
        }
        if let manifest = manifests.first { return logFolder(path, manifest: manifest) }
        let inner = LogFolder(directory: path)
        if names.contains(inner.folderName), try disk.kind(of: inner.path) == .folder {
            return try inside(inner.path, disk)
        }
        if names.contains(inner.fileName) { return inner }
        // A folder that lost its manifest: the files tell what it was called.
        for name in names {
            for suffix in [".incr.aof", ".base.aof", ".base.rdb"] where name.hasSuffix(suffix) {
                let stem = name.dropLast(suffix.count)
                guard let dot = stem.lastIndex(of: "."), dot > stem.startIndex else { continue }
                let file = String(stem[..<dot])
                return logFolder(path, manifest: file + manifestSuffix)
            }
        }
        throw UsageError("\(path) holds no append only file")
    }

    private static func logFolder(_ path: String, manifest: String) -> LogFolder {
        let (parent, name) = split(path)
        return LogFolder(
            directory: parent, folderName: name,
            fileName: String(manifest.dropLast(manifestSuffix.count)))
    }

    static func withoutSlashes(_ path: String) -> String {
        var path = path
        while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
        return path
    }

    /// The folder that a path is in, and its last name.
    static func split(_ path: String) -> (parent: String, name: String) {
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        let parent = path[..<slash]
        return (parent.isEmpty ? "/" : String(parent), String(path[path.index(after: slash)...]))
    }
}

internal import Glibc
internal import HoldfastBytes
internal import HoldfastPlatform
internal import Log

// aof-check: reads a log folder as a start of the server would, changes nothing, and says what it found.
// The work is LogReader's; here are arguments and printing.

let usage = """
    usage: aof-check FOLDER|MANIFEST

    Reads an append only folder (or the folder of the manifest given) exactly as the server does at
    start, and changes nothing. Run it on a stopped server's folder or on a copy.

    exit status: 0 whole; 1 a torn tail, which a start would cut, or damage; 2 wrong usage
    """

/// Splits a path into the folder that it is in and its last name.
func split(_ path: String) -> (parent: String, name: String) {
    var path = path
    while path.count > 1 && path.hasSuffix("/") { path.removeLast() }
    guard let slash = path.lastIndex(of: "/") else { return (".", path) }
    let parent = path[..<slash]
    return (parent.isEmpty ? "/" : String(parent), String(path[path.index(after: slash)...]))
}

/// The log folder that an argument means, or a line that says why there is none.
func find(_ argument: String, _ disk: LinuxFileSystem) throws(SystemError) -> (LogFolder?, String) {
    let suffix = ".manifest"
    switch try disk.kind(of: argument) {
    case .folder:
        let manifests = try disk.list(argument).filter {
            $0.hasSuffix(suffix) && !$0.hasPrefix("temp-")
        }
        guard manifests.count == 1, let manifest = manifests.first else {
            return (nil, "\(argument) holds \(manifests.count) manifests; name one")
        }
        let (parent, name) = split(argument)
        return (
            LogFolder(
                directory: parent, folderName: name,
                fileName: String(manifest.dropLast(suffix.count))), ""
        )
    case .file where argument.hasSuffix(suffix):
        let (folder, manifest) = split(argument)
        let (parent, name) = split(folder)
        return (
            LogFolder(
                directory: parent, folderName: name,
                fileName: String(manifest.dropLast(suffix.count))), ""
        )
    case .file, .other: return (nil, "\(argument) is neither a folder nor a manifest")
    case nil: return (nil, "\(argument) doesn't exist")
    }
}

func printSummary(_ log: RecoveredLog) {
    print("history \(log.history)")
    for file in log.files {
        let kind = file.kind == .segment ? "segment" : "plain AOF"
        print(
            "\(file.name): \(kind), \(file.bytes) bytes, LSN \(file.firstLSN) to \(file.endLSN), "
                + "\(file.batches) batches, ms \(file.firstMilliseconds) to \(file.lastMilliseconds)"
        )
    }
    for notice in log.notices { print("note: \(notice)") }
}

func check(_ argument: String) -> Int32 {
    let disk = LinuxFileSystem()
    do throws(SystemError) {
        let (folder, problem) = try find(argument, disk)
        guard let folder else {
            print(problem)
            return 2
        }
        var settings = RecoverySettings(folder: folder, freshHistory: HistoryID(0, 0, 0))
        // What stands beside the folder is the start's affair.
        settings.mayStartEmpty = true
        do throws(LogReadError) {
            let log = try LogReader.inspect(settings, on: disk)
            printSummary(log)
            if let cut = log.cut {
                print(
                    "TORN TAIL in \(cut.file): \(cut.reason), at offset \(cut.offset), LSN "
                        + "\(cut.lsn); a start cuts \(cut.bytes) bytes and keeps them aside")
                return 1
            }
            print("WHOLE up to LSN \(log.end)")
            return 0
        } catch {
            print("DAMAGED: \(error)")
            return 1
        }
    } catch {
        print("\(error)")
        return 2
    }
}

let arguments = CommandLine.arguments.dropFirst()
if let argument = arguments.first, arguments.count == 1, !argument.hasPrefix("-") {
    exit(check(argument))
}
print(usage)
exit(arguments.first == "--help" ? 0 : 2)

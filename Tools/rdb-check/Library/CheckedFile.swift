internal import HoldfastBytes
internal import HoldfastPlatform
internal import Snapshot
internal import ToolKit

/// What was found out about a file.
struct CheckedFile {
    enum Checksum: String {
        case right, absent, wrong, unread
    }

    let path: String
    var verdict = Verdict.ok
    var version = 0
    var aux = SnapshotAux()
    var tally = Tally()
    /// Of the file, if that is known.
    var fileBytes: Int64?
    /// Of the RDB in it, as far as it was read.
    var plainBytes: Int64 = 0
    /// How the RDB is wrapped: plain, lz4, gzip, zstd.
    var wrapping = "plain"
    var checksum = Checksum.unread
    var nanoseconds: UInt64 = 0
    var notes: [String] = []
    var damage: Damage?
    /// A signal ended it early.
    var isInterrupted = false

    var exitCode: ExitCode { isInterrupted ? .interrupted : verdict.exitCode }

    var writer: String? { aux.redisVersion }
}

/// What is wrong with a file, and where.
struct Damage {
    var message: String
    /// In the RDB; nil if no place in it is to blame.
    var offset: Int64?
    var step = "start"
    /// Where the record begins that has the place in it.
    var recordOffset: Int64?
    var key: [UInt8]?
    var database = 0
    var form: UInt8?
    /// The bytes that were changed, if the checksum tells.
    var finding: BitLocator.Finding?
    /// The checksum of all bytes is right, so that the file is as it was written.
    var isAsWritten = false

    init(_ error: SnapshotReadError) {
        message = error.message
        offset = error.reason == .system ? nil : error.offset
        step = "\(error.step.name)"
        key = error.key
        database = error.database
        form = error.form
    }

    init(_ message: String) { self.message = message }

    var typeText: String? {
        form.map { form in
            ValueForm(rawValue: form).map { "\($0.typeName) (\($0.name))" } ?? "\(form)"
        }
    }
}

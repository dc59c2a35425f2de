internal import HoldfastBytes
public import HoldfastPlatform

/// Why a snapshot, or a payload of DUMP, can't be read.
public struct SnapshotReadError: Error, Sendable, CustomStringConvertible {
    public let reason: ReadReason
    /// Where, in bytes from the start of the RDB: of what an LZ4 frame holds, not of the file around it.
    public let offset: Int64
    /// What was being read.
    public let step: ReadStep
    /// The key that was being read, if its name was known; long ones are cut.
    public let key: [UInt8]?
    public let database: Int
    /// The byte that names the form of its value, if known.
    public let form: UInt8?
    /// The number that the reason speaks of: a version, a form, a database.
    public let detail: Int64
    /// The system call that failed, where the reason is that one did.
    public let system: SystemError?

    public init(
        reason: ReadReason, offset: Int64, step: ReadStep, key: [UInt8]? = nil, database: Int = 0,
        form: UInt8? = nil, detail: Int64 = 0, system: SystemError? = nil
    ) {
        self.reason = reason
        self.offset = offset
        self.step = step
        self.key = key
        self.database = database
        self.form = form
        self.detail = detail
        self.system = system
    }

    public var description: String {
        var text = "\(message) at offset \(offset) (while doing \(step.name)"
        if let key {
            text += ", key '\(key.withSlice { $0.prefix(128).text })' of database \(database)"
        }
        if let form {
            text += ", type \(form)"
            if let known = ValueForm(rawValue: form) { text += " (\(known.name))" }
        }
        return text + ")"
    }

    /// What is wrong, without the place.
    public var message: String {
        if let system { return system.description }
        return reason.takesNumber ? "\(reason.text) \(detail)" : "\(reason.text)"
    }
}

/// What is wrong with some bytes.
public enum ReadReason: UInt8, Sendable {
    case endsEarly, system, cancelled
    case noMagic, badVersion, newerVersion, badForm, badDatabase, checksum
    case badLength, badStringEncoding, badLZF, tooLong, tooMany
    case badInteger, badScore, notANumber
    case badFunction, previewFunction, badModuleOpcode, moduleValue, badModuleAux
    case badListpack, badZiplist, badIntset, badZipmap, badStream, badContainer, badDeadline
    case duplicateMember, duplicateKey, emptyValue, oddCount
    case lz4Header, lz4Block, lz4EndsEarly, lz4Checksum
    case bytesLeft

    public var text: StaticString {
        switch self {
        case .endsEarly: "unexpected end"
        case .system: "reading failed"
        case .cancelled: "reading was cancelled"
        case .noMagic: "wrong signature: no RDB"
        case .badVersion: "no RDB version"
        case .newerVersion: "can't handle RDB format version"
        case .badForm: "unknown type or opcode"
        case .badDatabase: "there is no database"
        case .checksum: "wrong checksum"
        case .badLength: "this is no length"
        case .badStringEncoding: "unknown string encoding"
        case .badLZF: "invalid LZF compressed string"
        case .tooLong: "a string of impossible length"
        case .tooMany: "more elements than bytes"
        case .badInteger: "this is no number"
        case .badScore: "this is no score"
        case .notANumber: "a score that is not a number"
        case .badFunction: "an invalid function library"
        case .previewFunction: "a function library of a release candidate"
        case .badModuleOpcode: "unknown opcode in a module's value"
        case .moduleValue: "a value of a module that this server doesn't have"
        case .badModuleAux: "an invalid module auxiliary field"
        case .badListpack: "an invalid listpack"
        case .badZiplist: "an invalid ziplist"
        case .badIntset: "an invalid intset"
        case .badZipmap: "an invalid zipmap"
        case .badStream: "an invalid stream"
        case .badContainer: "a list node of unknown kind"
        case .badDeadline: "an impossible deadline of a field"
        case .duplicateMember: "the same member twice"
        case .duplicateKey: "the same key twice"
        case .emptyValue: "an empty value"
        case .oddCount: "elements that don't come in pairs"
        case .lz4Header: "an invalid LZ4 frame header"
        case .lz4Block: "an invalid LZ4 block"
        case .lz4EndsEarly: "the LZ4 frame ends early"
        case .lz4Checksum: "wrong checksum of the LZ4 frame"
        case .bytesLeft: "bytes after the value"
        }
    }

    var takesNumber: Bool {
        switch self {
        case .newerVersion, .badForm, .badDatabase, .badStringEncoding: true
        default: false
        }
    }
}

/// What a reader was at when something was wrong; the names are those of redis-check-rdb.
public enum ReadStep: UInt8, Sendable {
    case start, readType, readExpire, readKey, readObjectValue, checkSum, readLength, readAux
    case readModuleAux, readFunctions

    public var name: StaticString {
        switch self {
        case .start: "start"
        case .readType: "read-type"
        case .readExpire: "read-expire"
        case .readKey: "read-key"
        case .readObjectValue: "read-object-value"
        case .checkSum: "check-sum"
        case .readLength: "read-len"
        case .readAux: "read-aux"
        case .readModuleAux: "read-module-aux"
        case .readFunctions: "read-functions"
        }
    }
}

/// What travels inside the reader: the reason and the place, and nothing that is counted or allocated.
struct ReadFault: Error {
    let reason: ReadReason
    let offset: Int64
    var detail: Int64 = 0
}

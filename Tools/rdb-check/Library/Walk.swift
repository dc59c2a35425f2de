internal import HoldfastBytes
public import HoldfastPlatform
public import Snapshot
internal import Store
public import ToolKit

/// What is known of a key while a file is walked through.
struct KeyFacts {
    /// Valid during the call; perhaps a token of `LongStrings`.
    var key: ByteSlice
    var database: Int
    var head: SnapshotReader.KeyHead
    /// Of the whole record in the RDB; known at its end.
    var recordBytes: Int64 = 0
    var elements: UInt64 = 0

    var typeName: String { head.form.typeName }
}

extension ValueForm {
    /// As the TYPE command says it.
    var typeName: String {
        switch self {
        case .string: "string"
        case .list, .listZiplist, .listOfZiplists, .listOfListpacks: "list"
        case .set, .setIntset, .setListpack: "set"
        case .sortedSet, .sortedSetText, .sortedSetZiplist, .sortedSetListpack: "zset"
        case .hash, .hashZipmap, .hashZiplist, .hashListpack, .hashDeadlines,
            .hashListpackDeadlines, .hashDeadlinesPreview, .hashListpackDeadlinesPreview:
            "hash"
        case .stream1, .stream2, .stream3: "stream"
        case .module, .modulePreview: "module"
        }
    }

    var valueType: ValueType? {
        switch typeName {
        case "string": .string
        case "list": .list
        case "set": .set
        case "zset": .sortedSet
        case "hash": .hash
        case "stream": .stream
        default: nil
        }
    }
}

/// Takes the keys of a file, and of those that it wants the elements of their values.
protocol KeyVisitor: ElementVisitor {
    /// Whether the value is to be read; else it is passed over.
    mutating func begin(_ key: KeyFacts) -> Bool
    mutating func end(_ key: KeyFacts)
    mutating func function(_ source: ByteSlice)
}

extension KeyVisitor {
    mutating func function(_ source: ByteSlice) {}
}

/// A visitor that doesn't look at elements.
protocol PlainVisitor: KeyVisitor {}

extension PlainVisitor {
    static var wantsPacked: Bool { false }
    mutating func string(_ bytes: ByteSlice) {}
    mutating func element(_ bytes: ByteSlice) {}
    mutating func member(_ bytes: ByteSlice) {}
    mutating func member(_ bytes: ByteSlice, score: Double) {}
    mutating func field(_ name: ByteSlice, _ value: ByteSlice, deadline: Int64?) {}
    mutating func entry(_ entry: StreamEntry) {}
    mutating func passedOver(bytes: UInt64) {}
}

/// What a file holds, counted while it is walked through.
struct Tally {
    struct Database {
        var keys: UInt64 = 0
        var deadlines: UInt64 = 0
        var expired: UInt64 = 0
    }

    private(set) var databases: [Int: Database] = [:]
    var keys: UInt64 = 0
    var deadlines: UInt64 = 0
    /// At the moment of the walk.
    var expired: UInt64 = 0
    var elements: UInt64 = 0
    var functions = 0
    var moduleValues: UInt64 = 0
    var emptyValues: UInt64 = 0
    /// What `sizes` announces.
    var toldKeys: UInt64 = 0
    private var current = Database()
    private var currentNumber = 0
    /// A file may name any number of databases.
    private static let databasesMax = 1 << 16

    mutating func select(_ number: Int) {
        keep()
        currentNumber = number
        current = databases[number] ?? Database()
    }

    @inline(__always)
    mutating func count(_ deadline: Int64?, now: Int64) {
        keys &+= 1
        current.keys &+= 1
        if let deadline {
            deadlines &+= 1
            current.deadlines &+= 1
            if deadline <= now {
                expired &+= 1
                current.expired &+= 1
            }
        }
    }

    mutating func keep() {
        guard current.keys > 0 else { return }
        if databases.count < Self.databasesMax || databases[currentNumber] != nil {
            databases[currentNumber] = current
        }
    }
}

/// Why a walk through a file ended before its end.
public enum WalkFailure: Error {
    case read(SnapshotReadError)
    case system(SystemError)
    /// The gzip or zstd data around an RDB, and what that makes of the file.
    case wrapping(message: String, Verdict)
    /// A signal, or nobody takes the output any more.
    case interrupted
    case usage(UsageError)
}

/// Walks through a file from its first byte to its last: the server's own reader, with every string bounded.
struct Walk<Visitor: KeyVisitor>: ~Copyable {
    var reader: SnapshotReader
    var sink: CheckingSink<Visitor>
    var tally = Tally()
    /// Where the record that was begun last begins.
    private(set) var recordOffset: Int64 = 0
    private let now: Int64
    private let source: any SnapshotSource
    /// Passes over values instead of checking them.
    var passesOver = false

    init(
        _ source: any SnapshotSource, _ visitor: Visitor, longStrings: LongStrings,
        settings: WalkSettings = .init()
    ) throws(SystemError) {
        var reading = SnapshotReaderSettings()
        reading.sanitizes = true
        reading.verifiesChecksum = settings.verifiesChecksum
        reading.isThreaded = settings.isThreaded
        reading.blockBytes = settings.blockBytes
        self.source = source
        if let place = settings.resumed {
            reader = try SnapshotReader(
                source, settings: reading, longStrings: longStrings, version: place.version,
                database: place.database)
        } else {
            reader = try SnapshotReader(source, settings: reading, longStrings: longStrings)
        }
        sink = CheckingSink(visitor)
        now = settings.now
    }

    /// Walks to the end.
    ///
    /// - Parameter goOn: asked about once a MiB, with the bytes of the source that were read.
    mutating func run(_ goOn: (Int64) -> Bool = { _ in true }) throws(WalkFailure) {
        var asked = reader.offset
        while try step() {
            if reader.offset &- asked >= 1 << 20 {
                asked = reader.offset
                guard goOn(source.bytesRead) else { throw .interrupted }
            }
        }
    }

    /// Reads what follows the RDB, to the end of the source.
    mutating func drain() throws(WalkFailure) {
        do throws(SnapshotReadError) { try reader.drain() } catch { throw .read(error) }
    }

    /// The error of a source that ends before it should.
    var endsEarly: SnapshotReadError { reader.endsEarly }

    /// What the last step read, where that is of interest to those who print it.
    enum Step {
        case other, aux, database, function
    }

    private(set) var last = Step.other
    /// Name and value of the auxiliary field that was just read.
    var aux: (ByteSlice, ByteSlice)? { last == .aux ? (reader.name, reader.text) : nil }
    var hasSelected: Bool { last == .database }

    /// Reads the next item; false at the end.
    mutating func step() throws(WalkFailure) -> Bool {
        do throws(SnapshotReadError) {
            last = .other
            switch try reader.next() {
            case .key(let head): try take(head)
            case .database(let number):
                last = .database
                tally.select(number)
            case .sizes(let keys, _): tally.toldKeys &+= keys
            case .function:
                last = .function
                tally.functions += 1
                sink.visitor.function(reader.text)
            case .aux: last = .aux
            case .passedOver: break
            case .end:
                tally.keep()
                return false
            }
        } catch { throw .read(error) }
        return true
    }

    @inline(__always)
    private mutating func take(_ head: SnapshotReader.KeyHead) throws(SnapshotReadError) {
        recordOffset = head.offset
        var facts = KeyFacts(key: reader.key, database: reader.database, head: head)
        let isWanted = sink.visitor.begin(facts)
        if head.form == .module {
            tally.moduleValues &+= 1
            try reader.skipValue(head)
        } else if isWanted, !passesOver {
            sink.begin()
            do throws(SnapshotReadError) {
                try reader.readValue(head, into: &sink)
            } catch {
                // A server leaves such a key out and goes on.
                guard error.reason == .emptyValue else { throw error }
                tally.emptyValues &+= 1
            }
        } else {
            try reader.skipValue(head)
        }
        tally.count(head.deadline, now: now)
        guard isWanted else { return }
        facts.key = reader.key
        facts.recordBytes = reader.offset - head.offset
        facts.elements = sink.elementCount
        tally.elements &+= facts.elements
        sink.visitor.end(facts)
    }
}

struct WalkSettings {
    var verifiesChecksum = true
    var isThreaded = true
    var blockBytes = 256 << 10
    /// Unix ms.
    var now: Int64 = SystemClock().wallMilliseconds
    /// Reads on from the middle of a file.
    var resumed: (version: Int, database: Int)?

    init() {}

    /// - Parameter sourceBytes: what is known of the file's length.
    init(sourceBytes: Int64?, isThreaded: Bool = true) {
        self.isThreaded = isThreaded
        // A small file needs no more room than it has bytes, and no second thread.
        if let sourceBytes, sourceBytes < 64 << 10 {
            blockBytes = 4 << 10
            self.isThreaded = false
        }
    }
}

public import HoldfastBytes
public import HoldfastPlatform

public struct SnapshotReaderSettings: Sendable {
    /// `rdbchecksum`: whether the file's checksum is compared. The one of an LZ4 frame always is.
    public var verifiesChecksum = true
    /// Another thread reads, expands and sums up.
    public var isThreaded = true
    public var blockBytes = 256 << 10
    /// Checks every byte of packed values, as `sanitize-dump-payload yes` does; else only that reading them
    /// can't go wrong.
    public var sanitizes = false

    public init() {}
}

/// Reads an RDB item by item: `next` says what comes, and a key's value is then read or passed over.
///
///     while true {
///         switch try reader.next() {
///         case .key(let head): …one of: try reader.skipValue(head); try reader.readValue(head, …)
///         case .end: return
///         …
///
/// Any thread may use it, one at a time. After an error it is of no use.
public struct SnapshotReader: ~Copyable {
    public enum Item: Sendable {
        /// `name` and `text` are valid until the next call.
        case aux
        /// The source of a function library in `text`.
        case function
        case database(Int)
        /// How many keys the database has, and how many of them with a deadline: a hint.
        case sizes(keys: UInt64, deadlines: UInt64)
        /// A key, in `key` until the next call, and then its value.
        case key(KeyHead)
        /// Something that means nothing to us and was passed over.
        case passedOver
        case end
    }

    /// What a file says of a key before its value.
    public struct KeyHead: Sendable {
        public var form = ValueForm.string
        /// Unix ms.
        public var deadline: Int64?
        /// Seconds since the last access.
        public var idleSeconds: UInt64?
        /// The LFU counter.
        public var frequency: UInt8?
        /// Where its first byte stands.
        public var offset: Int64 = 0
    }

    var input: SnapshotInput
    private let verifiesChecksum: Bool
    private let values: ValueReader
    /// 0 until the head was read.
    public private(set) var version = 0
    public private(set) var database = 0
    /// What the auxiliary fields said so far.
    public private(set) var aux = SnapshotAux()
    /// The file has no checksum, or one of zero.
    public private(set) var lacksChecksum = false
    private(set) var step = ReadStep.start
    private var form: UInt8?
    private var knowsKey = false

    /// - Parameter longStrings: bounds what is held of one string; nil: every string is held.
    public init(
        _ source: any SnapshotSource, settings: SnapshotReaderSettings = .init(),
        longStrings: LongStrings? = nil
    ) throws(SystemError) {
        let feed = try BlockFeed(
            source, sums: settings.verifiesChecksum, isThreaded: settings.isThreaded,
            blockBytes: settings.blockBytes)
        input = SnapshotInput(
            feed, sourceBytes: source.totalBytes, longStrings: longStrings)
        verifiesChecksum = settings.verifiesChecksum
        values = ValueReader(
            sanitizes: settings.sanitizes, hasher: ByteHash(seed: .random(in: 0 ... .max)))
    }

    /// Reads on in the middle of an RDB of this version, where a record begins, in this database.
    ///
    /// Its checksum can't be verified: pass settings that don't.
    public init(
        _ source: any SnapshotSource, settings: SnapshotReaderSettings, longStrings: LongStrings?,
        version: Int, database: Int
    ) throws(SystemError) {
        try self.init(source, settings: settings, longStrings: longStrings)
        self.version = version
        self.database = database
    }

    /// The offset of the next byte in the RDB.
    public var offset: Int64 { input.offset }
    /// The RDB is in an LZ4 frame.
    public var isExpanded: Bool { input.isExpanded }

    public var key: ByteSlice { input[.key] }
    public var name: ByteSlice { input[.first] }
    public var text: ByteSlice { input[.second] }

    /// Reads the head, if nothing was read yet.
    public mutating func begin() throws(SnapshotReadError) {
        guard version == 0 else { return }
        do throws(ReadFault) { try readHead() } catch { throw failure(error) }
    }

    public mutating func next() throws(SnapshotReadError) -> Item {
        do throws(ReadFault) {
            if version == 0 { try readHead() }
            return try readItem()
        } catch { throw failure(error) }
    }

    /// The error to throw for `fault`, with all that is known of the place.
    func failure(_ fault: ReadFault) -> SnapshotReadError {
        SnapshotReadError(
            reason: fault.reason, offset: fault.offset, step: step,
            key: knowsKey ? input.begin(of: .key, bytesMax: 1024) : nil, database: database,
            form: form,
            detail: fault.detail, system: input.systemError)
    }

    private mutating func readHead() throws(ReadFault) {
        let start = input.offset
        do throws(ReadFault) {
            try input.bytes(SnapshotFormat.headerBytes, into: .first)
        } catch {
            // Too short for a head is no RDB, but a failed call or a broken frame is what it is.
            throw error.reason == .endsEarly ? ReadFault(reason: .noMagic, offset: start) : error
        }
        let head = input[.first]
        guard head.prefix(5) == ByteSlice(SnapshotFormat.magic) else {
            throw ReadFault(reason: .noMagic, offset: start)
        }
        var number = 0
        for index in 5..<SnapshotFormat.headerBytes {
            let digit = Int(head[index]) - 48
            guard 0...9 ~= digit else { throw ReadFault(reason: .badVersion, offset: start + 5) }
            number = number * 10 + digit
        }
        guard SnapshotVersion.readable.contains(number) else {
            throw ReadFault(reason: .newerVersion, offset: start + 5, detail: Int64(number))
        }
        version = number
    }

    private mutating func readItem() throws(ReadFault) -> Item {
        var head = KeyHead()
        form = nil
        knowsKey = false
        head.offset = input.offset
        while true {
            step = .readType
            let start = input.offset
            let byte = try input.byte()
            guard let opcode = Opcode(rawValue: byte) else {
                return try readKey(byte, at: start, &head)
            }
            switch opcode {
            case .deadlineSeconds:
                step = .readExpire
                let seconds = Int32(truncatingIfNeeded: try input.littleEndian(4))
                head.deadline = Int64(seconds) * 1000
            case .deadlineMilliseconds:
                step = .readExpire
                head.deadline = Int64(bitPattern: try input.littleEndian(8))
            case .frequency: head.frequency = try input.byte()
            case .idle: head.idleSeconds = try input.length()
            case .aux:
                step = .readAux
                try input.string(into: .first)
                try input.string(into: .second)
                aux.take(name, text)
                return .aux
            case .function:
                step = .readFunctions
                try input.string(into: .second)
                return .function
            case .functionPreview:
                step = .readFunctions
                throw ReadFault(reason: .previewFunction, offset: start)
            case .moduleAux:
                step = .readModuleAux
                try input.skipModuleAux()
                return .passedOver
            case .slotInfo:
                guard version >= SnapshotVersion.newest else {
                    throw ReadFault(reason: .badForm, offset: start, detail: Int64(byte))
                }
                for _ in 0..<3 { _ = try input.length() }
                return .passedOver
            case .select:
                step = .readLength
                let number = try input.length()
                guard let known = Int(exactly: number) else {
                    throw ReadFault(reason: .badDatabase, offset: start, detail: .max)
                }
                database = known
                return .database(known)
            case .resize:
                step = .readLength
                return .sizes(keys: try input.length(), deadlines: try input.length())
            case .end:
                step = .checkSum
                try readEnd()
                return .end
            }
        }
    }

    private mutating func readKey(
        _ byte: UInt8, at start: Int64, _ head: inout KeyHead
    ) throws(ReadFault) -> Item {
        guard let known = ValueForm(rawValue: byte) else {
            throw ReadFault(reason: .badForm, offset: start, detail: Int64(byte))
        }
        form = byte
        head.form = known
        step = .readKey
        try input.string(into: .key)
        knowsKey = true
        step = .readObjectValue
        return .key(head)
    }

    private mutating func readEnd() throws(ReadFault) {
        if version >= SnapshotFormat.firstWithChecksum {
            let sum = verifiesChecksum ? input.checksum : 0
            let start = input.offset
            let stored = try input.littleEndian(SnapshotFormat.checksumBytes)
            lacksChecksum = stored == 0
            guard stored == 0 || !verifiesChecksum || stored == sum else {
                throw ReadFault(reason: .checksum, offset: start)
            }
        } else {
            lacksChecksum = true
            // Nothing ever followed in files of those versions: here a newer version's digit was damaged.
            guard try input.isAtEnd() else { throw input.fault(.bytesLeft) }
        }
        if input.isExpanded { try input.drain() }
    }

    /// What to say when the source turns out to end before it should.
    public var endsEarly: SnapshotReadError { failure(input.fault(.endsEarly)) }

    /// Reads what follows the end of the RDB, which means nothing, up to the end of the source.
    public mutating func drain() throws(SnapshotReadError) {
        do throws(ReadFault) { try input.drain() } catch { throw failure(error) }
    }

    /// Passes over the value of the key that `next` just gave, checking no more than is needed for it.
    public mutating func skipValue(_ head: KeyHead) throws(SnapshotReadError) {
        do throws(ReadFault) {
            try values.skip(head.form, &input)
        } catch { throw failure(error) }
    }

    /// Reads the value of the key that `next` just gave.
    public mutating func readValue(
        _ head: KeyHead, into sink: inout some ValueSink & ~Copyable
    ) throws(SnapshotReadError) {
        do throws(ReadFault) {
            try values.read(head.form, &input, into: &sink)
        } catch { throw failure(error) }
    }

    /// Copies the key that `next` just gave, and its value, to another RDB.
    ///
    /// - Returns: whether all of it was copied.
    fileprivate mutating func copyKey(
        _ head: KeyHead, to output: inout SnapshotOutput, version: Int
    ) throws(SnapshotCopyError) -> Bool {
        let copier = ValueCopier(version: version)
        do throws(ValueCopier.Fault) {
            if let deadline = head.deadline {
                output.buffer.append(Opcode.deadlineMilliseconds.rawValue)
                output.buffer.append(littleEndian: UInt64(bitPattern: deadline), bytes: 8)
            }
            if let idle = head.idleSeconds {
                output.buffer.append(Opcode.idle.rawValue)
                output.buffer.append(length: idle)
            }
            if let frequency = head.frequency {
                output.buffer.append(Opcode.frequency.rawValue)
                output.buffer.append(frequency)
            }
            output.buffer.append(copier.form(of: head.form).rawValue)
            guard input.longCount(.key) == nil else {
                throw .read(ReadFault(reason: .tooLong, offset: head.offset))
            }
            do throws(SnapshotWriteError) {
                try output.write(string: key)
            } catch { throw .write(error) }
            try copier.copy(head.form, &input, to: &output)
            do throws(SnapshotWriteError) {
                try output.flushIfDue()
            } catch { throw .write(error) }
        } catch {
            switch error {
            case .read(let fault): throw .read(failure(fault))
            case .write(let error): throw .write(error)
            }
        }
        return !copier.loses(head.form)
    }
}

extension SnapshotWriter {
    /// Copies the key that `reader` just gave, and its value.
    ///
    /// After an error the new file is of no use.
    /// - Returns: false if something that the new version has no place for was left out: deadlines of fields.
    @discardableResult
    public mutating func copy(
        _ head: SnapshotReader.KeyHead, from reader: inout SnapshotReader
    ) throws(SnapshotCopyError) -> Bool {
        let isWhole = try reader.copyKey(head, to: &output, version: version)
        do throws(SnapshotWriteError) { try countKey() } catch { throw .write(error) }
        return isWhole
    }
}

internal import HoldfastBytes
internal import Store

/// Takes a packed value that is too long to hold apart while it is read, and gives its elements to a sink.
///
/// Elements of more than `elementBytesMax` bytes can't be given; then the value is also passed over as a whole.
struct LongPackedValue {
    /// How the elements of a packed list belong together.
    enum Shape {
        /// Of a node of a stream, whose elements mean nothing without each other: only the structure is checked.
        case unread
        case elements, members, scores, fields, fieldsWithDeadlines

        /// Elements of a member.
        var groupCount: Int {
            switch self {
            case .unread, .elements, .members: 1
            case .scores, .fields: 2
            case .fieldsWithDeadlines: 3
            }
        }
    }

    private let shape: Shape
    private var stream: PackedListStream?
    private var totalBytes: UInt64 = 0
    /// Of the member at hand, the elements that came; nil for one that is too long.
    private var group: [[UInt8]?] = []
    private var hasBegun = false
    private var isIncomplete = false
    /// The first thing that is wrong with what elements mean.
    private var reason: ReadReason?

    static let elementBytesMax = 4 << 20

    init(_ shape: Shape) { self.shape = shape }

    mutating func take(
        _ part: ByteSlice, _ total: UInt64, into sink: inout some ValueSink & ~Copyable
    ) {
        var stream =
            self.stream.take()
            ?? PackedListStream(total: total, elementBytesMax: Self.elementBytesMax)
        totalBytes = total
        stream.append(part) { element, toldCount in
            if !hasBegun { begin(&sink, count: toldCount) }
            give(element, &sink)
        }
        self.stream = stream
    }

    /// What is wrong, if anything is; all bytes have come.
    mutating func finish(into sink: inout some ValueSink & ~Copyable) -> ReadReason? {
        guard stream?.isWhole == true else { return .badListpack }
        if let reason { return reason }
        if !group.isEmpty { return .oddCount }
        if isIncomplete || shape == .unread { sink.passedOver(bytes: totalBytes) }
        return nil
    }

    private mutating func begin(_ sink: inout some ValueSink & ~Copyable, count: Int) {
        hasBegun = true
        switch shape {
        case .unread, .elements: break
        case .members: sink.beginSet(count: count)
        case .scores: sink.beginSortedSet(count: count)
        case .fields, .fieldsWithDeadlines: sink.beginHash(count: count)
        }
    }

    private mutating func give(
        _ element: PackedElement?, _ sink: inout some ValueSink & ~Copyable
    ) {
        if shape == .unread { return }
        group.append(element.map { $0.withBytes { $0.copyToArray() } })
        guard group.count == shape.groupCount else { return }
        defer { group.removeAll(keepingCapacity: true) }
        guard reason == nil else { return }
        let words = group.compactMap { $0 }
        guard words.count == group.count else {
            isIncomplete = true
            return
        }
        var isNew = true
        switch shape {
        case .unread: break
        case .elements: words[0].withSlice { sink.element($0) }
        case .members: isNew = words[0].withSlice { sink.member($0) }
        case .scores:
            let score = words[1].withSlice { DoubleText.parse($0) }
            guard let score, !score.isNaN else {
                reason = .badScore
                return
            }
            isNew = words[0].withSlice { sink.member($0, score: score) }
        case .fields:
            isNew = words[0].withSlice { name in
                words[1].withSlice { sink.field(name, $0, deadline: nil) }
            }
        case .fieldsWithDeadlines:
            let deadline = words[2].withSlice { DecimalText.parse($0) }
            guard let deadline, 0...ValueReader.deadlineMax ~= deadline else {
                reason = .badDeadline
                return
            }
            isNew = words[0].withSlice { name in
                words[1].withSlice {
                    sink.field(name, $0, deadline: deadline > 0 ? deadline : nil)
                }
            }
        }
        if !isNew { reason = .duplicateMember }
    }
}

/// The same for a set of integers; the picture is at `IntegerSet`.
struct LongIntegerSet {
    /// Bytes that don't make an element yet.
    private var rest: [UInt8] = []
    private var width = 0
    private var left: UInt64 = 0
    private var last: Int64?
    private var isGood = true

    private static let headerBytes = 8

    /// All bytes came, and they are a set.
    var isWhole: Bool { isGood && width > 0 && left == 0 && rest.isEmpty }

    mutating func take(
        _ part: ByteSlice, _ total: UInt64, into sink: inout some ValueSink & ~Copyable
    ) {
        var position = 0
        while position < part.count, isGood {
            if width > 0, rest.isEmpty, part.count - position >= width {
                take(Self.number(part.slice(position..<position + width)), &sink)
                position += width
                continue
            }
            rest.append(part[position])
            position += 1
            guard rest.count == (width == 0 ? Self.headerBytes : width) else { continue }
            let number = rest.withSlice { Self.number($0) }
            rest = []
            if width == 0 {
                begin(number, total, &sink)
            } else {
                take(number, &sink)
            }
        }
    }

    private mutating func take(_ bits: UInt64, _ sink: inout some ValueSink & ~Copyable) {
        let shift = Int64(64 - 8 * width)
        let value = (Int64(bitPattern: bits) << shift) >> shift
        isGood = left > 0 && last.map { $0 < value } ?? true
        last = value
        left &-= 1
        PackedElement.integer(value).withBytes { _ = sink.member($0) }
    }

    private mutating func begin(
        _ header: UInt64, _ total: UInt64, _ sink: inout some ValueSink & ~Copyable
    ) {
        let told = header & 0xffff_ffff
        left = header >> 32
        isGood =
            [2, 4, 8].contains(told) && left > 0
            && total == UInt64(Self.headerBytes) + told * left
        width = isGood ? Int(told) : 0
        // They ascend, so that none can be there twice and nothing must be remembered.
        sink.beginSet(count: .max)
    }

    /// Up to eight bytes, the lowest first.
    private static func number(_ bytes: ByteSlice) -> UInt64 {
        var value: UInt64 = 0
        for index in 0..<bytes.count { value |= UInt64(bytes[index]) << UInt64(8 * index) }
        return value
    }
}

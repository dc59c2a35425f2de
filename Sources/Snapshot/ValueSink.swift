public import HoldfastBytes
public import Store

/// Takes the parts of one value as a reader finds them, in the order of the file.
///
/// What it is given is valid during the call. Packed values were checked from the first byte to the last and have
/// elements. A method that returns false says that the element was there already, which is an error.
public protocol ValueSink: ~Copyable {
    mutating func string(_ bytes: ByteSlice)
    /// A string that is a number.
    mutating func integer(_ value: Int64)

    /// A list of elements and nodes, as they come, up to `end`.
    mutating func beginList()
    mutating func element(_ bytes: ByteSlice)
    mutating func node(_ list: PackedList)

    /// A set of `count` members, up to `end`.
    mutating func beginSet(count: Int)
    mutating func member(_ bytes: ByteSlice) -> Bool
    /// A whole set.
    mutating func set(_ members: PackedList) -> Bool
    mutating func set(_ members: IntegerSet) -> Bool

    /// A sorted set of `count` members in any order, up to `end`.
    mutating func beginSortedSet(count: Int)
    /// The score is a number, perhaps infinite.
    mutating func member(_ bytes: ByteSlice, score: Double) -> Bool
    /// A whole sorted set: members and their scores.
    ///
    /// - Parameter isOrdered: they come by score, and by name where scores are equal, as they should.
    mutating func sortedSet(_ pairs: PackedList, isOrdered: Bool) -> Bool

    /// A hash of `count` fields, up to `end`.
    mutating func beginHash(count: Int)
    mutating func field(_ name: ByteSlice, _ value: ByteSlice, deadline: Int64?) -> Bool
    /// A whole hash: fields and their values.
    mutating func hash(_ pairs: PackedList) -> Bool

    /// A stream: nodes, `entries`, and then each group with its pending items and its consumers, each of these with
    /// the items that it has, up to `end`. Whoever takes a node's list checks it.
    mutating func beginStream()
    mutating func streamNode(_ master: StreamID, _ list: ByteSlice) throws(StreamFault)
    mutating func streamEntries(
        count: UInt64, lastID: StreamID, history: StreamBuilder.History?
    ) throws(StreamFault)
    /// - Parameter entriesRead: -1 for unknown; nil if the file doesn't tell.
    mutating func streamGroup(
        _ name: ByteSlice, lastID: StreamID, entriesRead: Int64?
    ) throws(StreamFault)
    mutating func streamPending(_ id: StreamID, time: Int64, count: UInt64) throws(StreamFault)
    /// - Parameter activeTime: -1 for never.
    mutating func streamConsumer(
        _ name: ByteSlice, seenTime: Int64, activeTime: Int64
    ) throws(StreamFault)
    mutating func streamConsumerItem(_ id: StreamID) throws(StreamFault)

    /// The value is complete.
    mutating func end() throws(StreamFault)

    /// A packed value, or a node of a stream, that is too long to hold was passed over, or some of its elements were: called
    /// if the reader has `LongStrings`.
    mutating func passedOver(bytes: UInt64)
}

extension ValueSink where Self: ~Copyable {
    public mutating func passedOver(bytes: UInt64) {
        preconditionFailure("a reader that bounds strings with a sink that doesn't")
    }
}

extension ValueBuilder: ValueSink {}

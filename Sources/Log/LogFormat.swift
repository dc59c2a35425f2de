internal import HoldfastBytes

// The bytes of a log folder.
//
//     appendonlydir/
//       appendonly.aof.manifest      which files are in force, in order
//       appendonly.aof.1.incr.aof    segment 1, sealed: exact to the byte
//       appendonly.aof.2.incr.aof    segment 2, open: may end in zeros
//       holdfast.reserve             room kept for the tail when the disk is full
//
// A segment is an incremental file of Redis 7's multi-part AOF. What Redis doesn't know stands in lines
// that begin with `#`, which it skips wherever a command may start:
//
//     #HFS 1 2 171 <history id> 1700000000000 23 8d3f21aa\r\n     opening line
//     *2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n                           23 bytes, not counted in LSNs
//     #HFB 171 29 1700000000017 140 5f1c90e2\r\n                  annotation of a batch
//     *3\r\n$3\r\nSET\r\n$1\r\nk\r\n$3\r\nabc\r\n                 29 bytes: LSN 171 to 200
//     #HFB 200 ...
//     \0\0\0\0...                                                 only in the open segment
//
// Grammar (each blank is one space; numbers are decimal without sign or leading zeros and below 2^63;
// hex is lower case):
//
//     opening    = "#HFS 1" SP segment SP first-LSN SP history SP ms SP select-bytes SP crc CRLF select
//     select     = nothing, for database 0 | the canonical record of SELECT n
//     annotation = "#HFB" SP first-LSN SP record-bytes SP ms SP durable-LSN SP crc CRLF
//     history    = 40 hex digits
//     crc        = 8 hex digits: CRC-32C of the line's text before the blank that precedes it, followed
//                  by the select (opening) or by the batch's records (annotation)
//
// Loaders begin each file in database 0, hence the select: it makes the file stand alone, and since it
// isn't counted, a replica may roll its segments where it likes and keep the primary's LSNs.
//
// A batch is valid if and only if its annotation parses exactly, its first LSN is the end of what came
// before, its ms isn't below the last one's, its durable LSN is at most its first LSN, all its record
// bytes (one at least) are there, the crc is theirs, and they are whole commands with no MULTI left open.
//
// The manifest has Redis's grammar. Ours begins with a comment that seals the rest:
//
//     #HFM 1 <history id> <durable LSN> <crc>\n
//     file appendonly.aof.1.incr.aof seq 1 type i lsn 0\n
//     file appendonly.aof.2.incr.aof seq 2 type i lsn 171\n
//
//     crc        = CRC-32C of the line's text before the blank that precedes it, followed by all bytes
//                  after this line's end
//     lsn        = the segment's first LSN. A line without it names a plain AOF file.
//     bytes      = (optional) where the file ends for us; what follows in it never was acknowledged
//     history    = (optional) the history that the file is of, where that isn't the one in the first line
//
// A history begins where a segment does. A start as primary and a promotion begin one; LSNs go on.
//
// A segment whose write or sync failed is poisoned. The segment that takes its place begins at the last
// durable LSN and gets all that was kept in memory since, is synced, and only then named by a manifest
// that also ends the poisoned one there, by `bytes`. Since it holds batches before a manifest names it, it
// has a name of its own kind, `appendonly.aof.3.heal.incr.aof`: found unlisted, it held nothing that was
// acknowledged, whereas an ordinary segment with batches that no manifest lists means a lost manifest.
//
// A manifest with an `lsn` key but no valid first line is damaged. One with neither is Redis's own.

/// Names, versions and sizes of the log's lines.
public enum LogFormat {
    public static let version: Int64 = 1

    /// No line of ours, with its end, is longer. (Redis's own bound is 1,023.)
    public static let lineBytesMax = 127

    static func unknownVersion(_ version: Int64) -> String {
        "format version \(version) is not known to this program"
    }

    /// Whether a reader's reason is that a newer program wrote this.
    public static func isUnknownVersion(_ reason: String) -> Bool {
        reason.hasPrefix("format version ")
    }

    /// The longest opening line: each number at its largest.
    static let openingBytesMax = 6 + 20 + 20 + 41 + 20 + 3 + 9 + 2
    /// The longest annotation.
    static let annotationBytesMax = 4 + 20 + 20 + 20 + 20 + 9 + 2
    /// The longest first line of a manifest.
    static let manifestLineBytesMax = 6 + 41 + 20 + 9 + 1

    /// The bytes of the crc field with the blank before it.
    static let crcFieldBytes = 9

    static let openingTag: StaticString = "#HFS "
    static let annotationTag: StaticString = "#HFB "
    static let manifestTag: StaticString = "#HFM "
    /// What all tags begin with.
    static let commonTag: StaticString = "#HF"

    /// The longest SELECT record that may open a segment: database numbers are Int32 in Redis.
    static let selectBytesMax = 23 + 10
}

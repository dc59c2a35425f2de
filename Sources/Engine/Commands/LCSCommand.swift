internal import HoldfastBytes
internal import HoldfastRESP
internal import Store

/// LCS: the longest common subsequence of two strings, its length, or where it lies.
///
/// The table of lengths has a row per byte of the first string and a column per byte of the second; the
/// answer is read off it backwards from the last corner. Which of several longest ones is found, and how its
/// ranges are cut, is Redis's choice.
extension StringCommands {
    private struct LCSOptions {
        var wantsLength = false
        var wantsRanges = false
        var showsLengths = false
        var lengthMin: Int64 = 0

        init(_ context: borrowing CommandContext) throws(CommandError) {
            var index = 3
            while index < context.arguments.count {
                let word = context.arguments[index]
                if word.equalsIgnoringCase("idx") {
                    wantsRanges = true
                } else if word.equalsIgnoringCase("len") {
                    wantsLength = true
                } else if word.equalsIgnoringCase("withmatchlen") {
                    showsLengths = true
                } else if word.equalsIgnoringCase("minmatchlen"),
                    index + 1 < context.arguments.count
                {
                    index += 1
                    lengthMin = max(try context.integer(at: index), 0)
                } else {
                    throw .syntax
                }
                index += 1
            }
            if wantsLength && wantsRanges {
                throw .text(
                    "ERR If you want both the length and indexes, please just use IDX.")
            }
        }
    }

    @Sendable
    static func lcs(_ context: inout CommandContext) throws(CommandError) {
        let entries = [context.lookup(context.key(at: 1)), context.lookup(context.key(at: 2))]
        guard entries.allSatisfy({ $0?.isString ?? true }) else {
            throw .text("ERR The specified keys must contain string values")
        }
        let options = try LCSOptions(context)
        let first = entries[0]?.withBytes { $0.copyToArray() } ?? []
        let second = entries[1]?.withBytes { $0.copyToArray() } ?? []
        let (cells, isOver) = (first.count + 1).multipliedReportingOverflow(by: second.count + 1)
        guard !isOver, cells <= context.limits.stringBytesMax / 4 else {
            throw .text(
                "ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len")
        }
        let lengths = LCSLengths(first, second)
        if options.wantsRanges {
            replyRanges(&context, options, lengths, first, second)
        } else if options.wantsLength {
            context.reply.integer(Int64(lengths.last))
        } else {
            context.reply.bulk(subsequence(lengths, first, second))
        }
    }

    /// The lengths for every pair of prefixes.
    private struct LCSLengths {
        private var cells: [UInt32]
        private let width: Int

        init(_ first: [UInt8], _ second: [UInt8]) {
            width = second.count + 1
            cells = [UInt32](repeating: 0, count: (first.count + 1) * width)
            for row in first.indices {
                let byte = first[row]
                let above = row * width
                let here = above + width
                for column in second.indices {
                    cells[here + column + 1] =
                        byte == second[column]
                        ? cells[above + column] + 1
                        : max(cells[above + column + 1], cells[here + column])
                }
            }
        }

        var last: UInt32 { cells[cells.count - 1] }

        subscript(_ row: Int, _ column: Int) -> UInt32 { cells[row * width + column] }
    }

    /// One step of the way back from the last corner.
    private static func goesUp(_ lengths: LCSLengths, _ row: Int, _ column: Int) -> Bool {
        lengths[row - 1, column] > lengths[row, column - 1]
    }

    private static func subsequence(
        _ lengths: LCSLengths, _ first: [UInt8], _ second: [UInt8]
    ) -> [UInt8] {
        var result: [UInt8] = []
        result.reserveCapacity(Int(lengths.last))
        var row = first.count
        var column = second.count
        while row > 0, column > 0 {
            if first[row - 1] == second[column - 1] {
                result.append(first[row - 1])
                row -= 1
                column -= 1
            } else if goesUp(lengths, row, column) {
                row -= 1
            } else {
                column -= 1
            }
        }
        result.reverse()
        return result
    }

    private static func replyRanges(
        _ context: inout CommandContext, _ options: LCSOptions, _ lengths: LCSLengths,
        _ first: [UInt8], _ second: [UInt8]
    ) {
        context.reply.map(2)
        context.reply.bulk("matches")
        let mark = context.reply.beginArray()
        var ranges = 0
        var row = first.count
        var column = second.count
        // Diagonal runs, the last one first.
        while row > 0, column > 0 {
            guard first[row - 1] == second[column - 1] else {
                if goesUp(lengths, row, column) { row -= 1 } else { column -= 1 }
                continue
            }
            let rowEnd = row
            let columnEnd = column
            while row > 0, column > 0, first[row - 1] == second[column - 1] {
                row -= 1
                column -= 1
            }
            let length = rowEnd - row
            guard length >= options.lengthMin else { continue }
            context.reply.array(options.showsLengths ? 3 : 2)
            for (start, end) in [(row, rowEnd), (column, columnEnd)] {
                context.reply.array(2)
                context.reply.integer(start)
                context.reply.integer(end - 1)
            }
            if options.showsLengths { context.reply.integer(length) }
            ranges += 1
        }
        context.reply.endArray(mark, count: ranges)
        context.reply.bulk("len")
        context.reply.integer(Int64(lengths.last))
    }
}

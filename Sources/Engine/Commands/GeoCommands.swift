internal import HoldfastBytes
internal import HoldfastRESP
internal import Store

/// Commands on places: sorted sets whose scores are geohashes.
public enum GeoCommands {
    @Sendable
    static func geoadd(_ context: inout CommandContext) throws(CommandError) {
        let arguments = context.arguments
        var update = SortedSetUpdate()
        var countsUpdates = false
        var first = 2
        options: while first < arguments.count {
            let word = arguments[first]
            if word.equalsIgnoringCase("nx") {
                update.onlyAdds = true
            } else if word.equalsIgnoringCase("xx") {
                update.onlyUpdates = true
            } else if word.equalsIgnoringCase("ch") {
                countsUpdates = true
            } else {
                break options
            }
            first += 1
        }
        let left = arguments.count - first
        if left == 0 || left % 3 != 0 || (update.onlyAdds && update.onlyUpdates) { throw .syntax }
        let count = left / 3
        var hashes: [UInt64] = []
        var longest = 0
        for index in 0..<count {
            hashes.append(Geohash.encode(try place(arguments, at: first + index * 3)))
            longest = max(longest, arguments[first + index * 3 + 2].count)
        }
        try SortedSetCommands.apply(
            &context, &update, count: count, longest: longest, score: { Double(hashes[$0]) },
            member: { arguments[first + $0 * 3 + 2] })
        if update.hasChanged {
            // Scores, so that no other reading of coordinates can ever change what is stored.
            var scores = ByteBuffer()
            var ends: [Int] = []
            for hash in hashes {
                scores.append(unsigned: hash)
                ends.append(scores.count)
            }
            var words: [ByteSlice] = []
            for index in 1..<first { words.append(arguments[index]) }
            for index in 0..<count {
                words.append(scores.slice.slice((index == 0 ? 0 : ends[index - 1])..<ends[index]))
                words.append(arguments[first + index * 3 + 2])
            }
            context.logInstead("zadd", words: words)
        }
        context.changeCount = update.added + update.updated
        context.reply.integer(countsUpdates ? update.added + update.updated : update.added)
    }

    // MARK: Single places

    @Sendable
    static func geopos(_ context: inout CommandContext) throws(CommandError) {
        let entry = try context.lookupSortedSet(context.key(at: 1))
        context.reply.array(context.arguments.count - 2)
        for index in 2..<context.arguments.count {
            if let score = score(context, entry, context.arguments[index]) {
                context.reply.place(Geohash.decode(score))
            } else {
                context.reply.nullArray()
            }
        }
    }

    @Sendable
    static func geohash(_ context: inout CommandContext) throws(CommandError) {
        let entry = try context.lookupSortedSet(context.key(at: 1))
        context.reply.array(context.arguments.count - 2)
        for index in 2..<context.arguments.count {
            if let score = score(context, entry, context.arguments[index]) {
                let text = Geohash.text(Geohash.decode(score))
                context.reply.bulk(text.indices.map { text[$0] })
            } else {
                context.reply.null()
            }
        }
    }

    @Sendable
    static func geodist(_ context: inout CommandContext) throws(CommandError) {
        let arguments = context.arguments
        var unit = 1.0
        if arguments.count == 5 { unit = try Self.unit(arguments[4]) }
        if arguments.count > 5 { throw .syntax }
        guard let entry = try context.lookupSortedSet(context.key(at: 1)),
            let one = score(context, entry, arguments[2]),
            let other = score(context, entry, arguments[3])
        else { return context.reply.null() }
        context.reply.distance(
            Geohash.distance(Geohash.decode(one), Geohash.decode(other)) / unit)
    }

    private static func score(
        _ context: borrowing CommandContext, _ entry: Entry?, _ member: ByteSlice
    ) -> Double? {
        guard let entry else { return nil }
        return SortedSetView(entry).score(context.keyspace.hash(member), member)
    }

    // MARK: Reading arguments

    private static func place(
        _ arguments: Arguments, at index: Int
    ) throws(CommandError) -> Geohash.Place {
        let longitude = try arguments[index].score()
        let latitude = try arguments[index + 1].score()
        let place = Geohash.Place(longitude: longitude, latitude: latitude)
        guard place.isValid else {
            var text = ByteBuffer()
            text.append("ERR invalid longitude,latitude pair ")
            text.append(decimals6: longitude)
            text.append(",")
            text.append(decimals6: latitude)
            throw .bytes(text.copyToArray())
        }
        return place
    }

    /// Metres in a unit.
    private static func unit(_ word: ByteSlice) throws(CommandError) -> Double {
        if word.equalsIgnoringCase("m") { return 1 }
        if word.equalsIgnoringCase("km") { return 1000 }
        if word.equalsIgnoringCase("ft") { return 0.3048 }
        if word.equalsIgnoringCase("mi") { return 1609.34 }
        throw .text("ERR unsupported unit provided. please use M, KM, FT, MI")
    }

    // MARK: Searching

    @Sendable
    static func georadius(_ context: inout CommandContext) throws(CommandError) {
        try search(&context, .init(centre: .coordinates, first: 6))
    }

    @Sendable
    static func georadiusRo(_ context: inout CommandContext) throws(CommandError) {
        try search(&context, .init(centre: .coordinates, first: 6, storesOnRequest: false))
    }

    @Sendable
    static func georadiusbymember(_ context: inout CommandContext) throws(CommandError) {
        try search(&context, .init(centre: .member, first: 5))
    }

    @Sendable
    static func georadiusbymemberRo(_ context: inout CommandContext) throws(CommandError) {
        try search(&context, .init(centre: .member, first: 5, storesOnRequest: false))
    }

    @Sendable
    static func geosearch(_ context: inout CommandContext) throws(CommandError) {
        try search(&context, .init(centre: .option, first: 2))
    }

    @Sendable
    static func geosearchstore(_ context: inout CommandContext) throws(CommandError) {
        try search(&context, .init(centre: .option, first: 3, source: 2))
    }

    /// One of the commands that search.
    private struct SearchCommand {
        enum Centre {
            case coordinates
            case member
            case option
        }

        /// How the centre is told.
        let centre: Centre
        /// Where the options begin.
        let first: Int
        var source = 1
        /// Options may name a key for the result.
        var storesOnRequest = true

        var alwaysStores: Bool { source == 2 }
    }

    /// What is asked for.
    private struct Search {
        var centre: Geohash.Place?
        var hasCentre = false
        var shape: Geohash.Shape?
        var unit = 1.0
        /// The argument that names the key for the result.
        var target: Int?
        var storesDistances = false
        var withDistance = false
        var withHash = false
        var withPlace = false
        var isSorted = false
        var isDescending = false
        /// 0 for all.
        var count = 0
        var takesAny = false

        var withCount: Int {
            (withDistance ? 1 : 0) + (withHash ? 1 : 0) + (withPlace ? 1 : 0)
        }

        /// `5 km`.
        mutating func takeRadius(
            _ arguments: Arguments, at index: Int
        ) throws(CommandError) {
            guard let radius = DoubleText.parse(arguments[index]) else {
                throw .text("ERR need numeric radius")
            }
            if radius < 0 { throw .text("ERR radius cannot be negative") }
            unit = try GeoCommands.unit(arguments[index + 1])
            shape = .circle(radius: radius * unit)
        }

        /// `5 10 km`.
        mutating func takeBox(_ arguments: Arguments, at index: Int) throws(CommandError) {
            guard let width = DoubleText.parse(arguments[index]) else {
                throw .text("ERR need numeric width")
            }
            guard let height = DoubleText.parse(arguments[index + 1]) else {
                throw .text("ERR need numeric height")
            }
            if height < 0 || width < 0 {
                throw .text("ERR height or width cannot be negative")
            }
            unit = try GeoCommands.unit(arguments[index + 2])
            shape = .box(width: width * unit, height: height * unit)
        }

        mutating func takeMember(
            _ context: borrowing CommandContext, _ entry: Entry?, at index: Int
        ) throws(CommandError) {
            hasCentre = true
            guard let entry else { return }
            guard let score = GeoCommands.score(context, entry, context.arguments[index]) else {
                throw .text("ERR could not decode requested zset member")
            }
            centre = Geohash.decode(score)
        }
    }

    private static func search(
        _ context: inout CommandContext, _ command: SearchCommand
    ) throws(CommandError) {
        let entry = try context.lookupSortedSet(context.key(at: command.source))
        let search = try read(context, command, entry)
        guard let entry, let centre = search.centre, let shape = search.shape else {
            guard let target = search.target else { return context.reply.array(0) }
            return SortedSetCommands.store(&context, ScoredMembers(), "", at: target)
        }
        let set = SortedSetView(entry)
        var found = points(
            in: set, centre, shape, limit: search.takesAny ? search.count : 0)
        if search.isSorted || (search.count > 0 && !search.takesAny) {
            let descends = search.isDescending
            if search.count > 0, search.count < found.count {
                partialSort(&found, wanted: search.count) { left, right in
                    if left.distance == right.distance { return 0 }
                    return (left.distance < right.distance) == descends ? 1 : -1
                }
            } else {
                // What is equally far away stays in the order of the search.
                let order = found.indices.sorted {
                    let (left, right) = (found[$0].distance, found[$1].distance)
                    if left == right { return $0 < $1 }
                    return descends ? left > right : left < right
                }
                found = order.map { found[$0] }
            }
        }
        if search.count > 0 { found = Array(found.prefix(search.count)) }
        if let target = search.target {
            var members = ScoredMembers()
            for point in found {
                let score = search.storesDistances ? point.distance / search.unit : point.score
                point.member.withBytes { members.append($0, score) }
            }
            members.sort()
            return SortedSetCommands.store(
                &context, members,
                command.centre == .option ? "geosearchstore" : "georadiusstore", at: target)
        }
        context.reply.array(found.count)
        for point in found {
            if search.withCount > 0 { context.reply.array(search.withCount + 1) }
            context.reply.element(point.member)
            if search.withDistance { context.reply.distance(point.distance / search.unit) }
            if search.withHash { context.reply.integer(Int64(point.score.rounded(.towardZero))) }
            if search.withPlace { context.reply.place(point.place) }
        }
    }

    private struct Point {
        var member: PackedElement
        var score: Double
        var place: Geohash.Place
        var distance: Double
    }

    /// - Parameter limit: so many are enough; 0 for all.
    private static func points(
        in set: SortedSetView, _ centre: Geohash.Place, _ shape: Geohash.Shape, limit: Int
    ) -> [Point] {
        var found: [Point] = []
        for (from, upTo) in Geohash.scoreRanges(around: centre, shape) {
            if limit > 0, found.count >= limit { break }
            var ranks = set.ranks(ScoreRange(min: from, max: upTo, excludesMax: true))
            while !ranks.isEmpty, limit == 0 || found.count < limit {
                // In portions, for it may be enough soon.
                let portion = limit == 0 ? ranks : ranks.prefix(256)
                set.forEach(portion) { member, score in
                    let place = Geohash.decode(score)
                    guard limit == 0 || found.count < limit,
                        let distance = Geohash.distance(of: place, from: centre, in: shape)
                    else { return }
                    found.append(
                        Point(member: member, score: score, place: place, distance: distance))
                }
                ranks = portion.upperBound..<ranks.upperBound
            }
        }
        return found
    }

    private static func read(
        _ context: borrowing CommandContext, _ command: SearchCommand, _ entry: Entry?
    ) throws(CommandError) -> Search {
        let arguments = context.arguments
        var search = Search()
        switch command.centre {
        case .coordinates:
            search.centre = try place(arguments, at: 2)
            try search.takeRadius(arguments, at: 4)
        case .member:
            try search.takeMember(context, entry, at: 2)
            if entry != nil { try search.takeRadius(arguments, at: 3) }
        case .option:
            if command.alwaysStores { search.target = 1 }
        }
        try readOptions(context, command, entry, &search)
        if search.target != nil, search.withCount > 0 {
            throw .message(
                "ERR \(command.alwaysStores ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS")"
                    + " is not compatible with WITHDIST, WITHHASH and WITHCOORD options")
        }
        if command.centre == .option {
            let name = arguments[0].copyToArray()
            if !search.hasCentre {
                throw .bytes(
                    Array(
                        "ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ".utf8)
                        + name)
            }
            if search.shape == nil {
                throw .bytes(
                    Array("ERR exactly one of BYRADIUS and BYBOX can be specified for ".utf8)
                        + name)
            }
        }
        if search.takesAny, search.count == 0 {
            throw .text("ERR the ANY argument requires COUNT argument")
        }
        return search
    }

    private static func readOptions(
        _ context: borrowing CommandContext, _ command: SearchCommand, _ entry: Entry?,
        _ search: inout Search
    ) throws(CommandError) {
        let arguments = context.arguments
        let isSearch = command.centre == .option
        var fromMember = false
        var fromPlace = false
        var isCircle = false
        var isBox = false
        var index = command.first
        while index < arguments.count {
            let word = arguments[index]
            let left = arguments.count - index - 1
            if word.equalsIgnoringCase("withdist") {
                search.withDistance = true
            } else if word.equalsIgnoringCase("withhash") {
                search.withHash = true
            } else if word.equalsIgnoringCase("withcoord") {
                search.withPlace = true
            } else if word.equalsIgnoringCase("any") {
                search.takesAny = true
            } else if word.equalsIgnoringCase("asc") {
                search.isSorted = true
                search.isDescending = false
            } else if word.equalsIgnoringCase("desc") {
                search.isSorted = true
                search.isDescending = true
            } else if word.equalsIgnoringCase("count"), left >= 1 {
                let wanted = try context.integer(at: index + 1)
                if wanted <= 0 { throw .text("ERR COUNT must be > 0") }
                search.count = Int(wanted)
                index += 1
            } else if word.equalsIgnoringCase("store"), left >= 1, command.storesOnRequest,
                !isSearch
            {
                search.target = index + 1
                search.storesDistances = false
                index += 1
            } else if word.equalsIgnoringCase("storedist"), left >= 1, command.storesOnRequest,
                !isSearch
            {
                search.target = index + 1
                search.storesDistances = true
                index += 1
            } else if word.equalsIgnoringCase("storedist"), command.alwaysStores {
                search.storesDistances = true
            } else if word.equalsIgnoringCase("frommember"), left >= 1, isSearch, !fromPlace {
                try search.takeMember(context, entry, at: index + 1)
                fromMember = true
                index += 1
            } else if word.equalsIgnoringCase("fromlonlat"), left >= 2, isSearch, !fromMember {
                search.centre = try place(arguments, at: index + 1)
                search.hasCentre = true
                fromPlace = true
                index += 2
            } else if word.equalsIgnoringCase("byradius"), left >= 2, isSearch, !isBox {
                try search.takeRadius(arguments, at: index + 1)
                isCircle = true
                index += 2
            } else if word.equalsIgnoringCase("bybox"), left >= 3, isSearch, !isCircle {
                try search.takeBox(arguments, at: index + 1)
                isBox = true
                index += 3
            } else {
                throw .syntax
            }
            index += 1
        }
    }

    // MARK: Table

    public static let table: [CommandSpec] = [
        CommandSpec(
            "geoadd", -5, [.write, .denyOOM], .geo, keys: [.first(.rw, [.update])], .data(geoadd)),
        CommandSpec(
            "geodist", -4, [.readonly], .geo, keys: [.first(.ro, [.access])], .data(geodist)),
        CommandSpec(
            "geohash", -2, [.readonly], .geo, keys: [.first(.ro, [.access])], .data(geohash)),
        CommandSpec("geopos", -2, [.readonly], .geo, keys: [.first(.ro, [.access])], .data(geopos)),
        CommandSpec(
            "georadius", -6, [.write, .denyOOM], .geo,
            keys: [
                .first(.ro, [.access]), .after("STORE", from: 6, .ow, [.update]),
                .after("STOREDIST", from: 6, .ow, [.update]),
            ], .data(georadius)),
        CommandSpec(
            "georadius_ro", -6, [.readonly], .geo, keys: [.first(.ro, [.access])],
            .data(georadiusRo)),
        CommandSpec(
            "georadiusbymember", -5, [.write, .denyOOM], .geo,
            keys: [
                .first(.ro, [.access]), .after("STORE", from: 5, .ow, [.update]),
                .after("STOREDIST", from: 5, .ow, [.update]),
            ], .data(georadiusbymember)),
        CommandSpec(
            "georadiusbymember_ro", -5, [.readonly], .geo, keys: [.first(.ro, [.access])],
            .data(georadiusbymemberRo)),
        CommandSpec(
            "geosearch", -7, [.readonly], .geo, keys: [.first(.ro, [.access])], .data(geosearch)),
        CommandSpec(
            "geosearchstore", -8, [.write, .denyOOM], .geo,
            keys: [.first(.ow, [.update]), .at(2, .ro, [.access])], .data(geosearchstore)),
    ]
}

extension ReplyWriter {
    /// Four decimals, as a bulk string in both protocols.
    mutating func distance(_ value: Double) {
        var text = ByteBuffer()
        let scaled = (value * 10_000).rounded(.toNearestOrEven)
        if scaled.magnitude < 9e18 {
            let whole = UInt64(scaled.magnitude)
            if scaled < 0 { text.append("-") }
            text.append(unsigned: whole / 10_000)
            text.append(".")
            let rest = whole % 10_000
            for power in [1000, 100, 10, 1] as [UInt64] {
                text.append(UInt8(ascii: "0") + UInt8(rest / power % 10))
            }
        } else {
            text.append(decimals6: value)
        }
        bulk(text.slice)
    }

    /// Longitude and latitude, with as many of 17 decimals as they have.
    mutating func place(_ place: Geohash.Place) {
        array(2)
        for value in [place.longitude, place.latitude] {
            var text = ByteBuffer()
            text.append(decimals17: value)
            if isRESP3 {
                buffer.append(UInt8(ascii: ","))
                buffer.append(text.slice)
                buffer.append("\r\n")
            } else {
                bulk(text.slice)
            }
        }
    }
}

internal import Glibc

/// Places on the globe as numbers, and the cells to search for what is near: Redis's way, bit for bit.
///
/// A place is told by 26 bits of latitude and 26 of longitude by turns, longitude on top. Each is the place's
/// share of its range: all longitudes, and the latitudes that a square map in Mercator's projection has. Places
/// close to each other mostly share their first bits, so a cell of the map is a range of numbers.
public enum Geohash {
    public static let longitudes = -180.0...180.0
    public static let latitudes = -85.05112878...85.05112878

    /// Steps of the finest cell: bits for each of the two coordinates.
    static let stepMax = 26

    /// In degrees.
    public struct Place: Equatable, Sendable {
        public var longitude: Double
        public var latitude: Double

        public init(longitude: Double, latitude: Double) {
            self.longitude = longitude
            self.latitude = latitude
        }

        public var isValid: Bool {
            longitudes.contains(longitude) && latitudes.contains(latitude)
        }
    }

    /// A cell of the map; no cell if both are 0.
    struct Cell: Equatable {
        var bits: UInt64
        var step: Int

        static let none = Cell(bits: 0, step: 0)

        /// Scores of all places in the cell: from the first up to and without the second.
        var scores: (from: Double, upTo: Double) {
            let shift = UInt64(52 - step * 2)
            return (Double(bits << shift), Double((bits + 1) << shift))
        }

        /// The cell that lies so many columns east and rows north, around the map's edges.
        func moved(east: Int, north: Int) -> Cell {
            var cell = self
            if east != 0 { cell.bits = stepped(cell.bits, 0xAAAA_AAAA_AAAA_AAAA, east > 0) }
            if north != 0 { cell.bits = stepped(cell.bits, 0x5555_5555_5555_5555, north > 0) }
            return cell
        }

        /// Adds or takes one from the number that every second bit makes: with the bits between set, or clear,
        /// carries go through. The edges of the ranges themselves have one bit too many, which stays in the
        /// number that isn't moved.
        private func stepped(_ bits: UInt64, _ mask: UInt64, _ isForth: Bool) -> UInt64 {
            let between = ~mask >> UInt64(64 - step * 2)
            let moving = bits & mask
            let moved = isForth ? moving &+ (between &+ 1) : (moving | between) &- (between &+ 1)
            return (moved & (mask >> UInt64(64 - step * 2))) | (bits & ~mask)
        }
    }

    struct Area {
        var longitudes: ClosedRange<Double>
        var latitudes: ClosedRange<Double>
    }

    // MARK: Coding

    /// A place's number, which as a score is exact.
    public static func encode(_ place: Place) -> UInt64 {
        cell(of: place, step: stepMax, latitudes: latitudes).bits
    }

    /// The middle of the finest cell that a score means.
    public static func decode(_ score: Double) -> Place {
        let area = area(of: Cell(bits: bits(score), step: stepMax))
        let longitude = (area.longitudes.lowerBound + area.longitudes.upperBound) / 2
        let latitude = (area.latitudes.lowerBound + area.latitudes.upperBound) / 2
        return Place(
            longitude: min(max(longitude, longitudes.lowerBound), longitudes.upperBound),
            latitude: min(max(latitude, latitudes.lowerBound), latitudes.upperBound))
    }

    /// The eleven letters by which others know a place.
    public static func text(_ place: Place) -> InlineArray<11, UInt8> {
        // Others divide all latitudes there are. Ten letters take 50 of the 52 bits, and the last is nothing.
        let bits = cell(of: place, step: stepMax, latitudes: -90...90).bits
        let alphabet: StaticString = "0123456789bcdefghjkmnpqrstuvwxyz"
        var text = InlineArray<11, UInt8>(repeating: UInt8(ascii: "0"))
        for index in 0..<10 {
            // SAFETY: five bits are an index into 32 letters.
            unsafe text[index] = alphabet.utf8Start[Int(bits >> UInt64(47 - index * 5)) & 31]
        }
        return text
    }

    /// A score as bits, of scores that mean no place too: as x86-64 converts doubles.
    static func bits(_ score: Double) -> UInt64 {
        func whole(_ value: Double) -> Int64 {
            value > -9_223_372_036_854_777_856 && value < 9_223_372_036_854_775_808
                ? Int64(value) : .min
        }
        if score < 9_223_372_036_854_775_808 { return UInt64(bitPattern: whole(score)) }
        return UInt64(bitPattern: whole(score - 9_223_372_036_854_775_808)) ^ 1 << 63
    }

    static func cell(of place: Place, step: Int, latitudes: ClosedRange<Double>) -> Cell {
        let height = latitudes.upperBound - latitudes.lowerBound
        let width = longitudes.upperBound - longitudes.lowerBound
        let row = (place.latitude - latitudes.lowerBound) / height * Double(1 << step)
        let column = (place.longitude - longitudes.lowerBound) / width * Double(1 << step)
        return Cell(
            bits: spread(UInt64(row)) | spread(UInt64(column)) << 1, step: step)
    }

    static func area(of cell: Cell) -> Area {
        let height = latitudes.upperBound - latitudes.lowerBound
        let width = longitudes.upperBound - longitudes.lowerBound
        let cells = Double(1 << cell.step)
        func low(_ number: UInt32) -> Double { Double(number) / cells }
        let row = gathered(cell.bits)
        let column = gathered(cell.bits >> 1)
        let south = latitudes.lowerBound + low(row) * height
        let north = latitudes.lowerBound + low(row &+ 1) * height
        let west = longitudes.lowerBound + low(column) * width
        let east = longitudes.lowerBound + low(column &+ 1) * width
        return Area(
            longitudes: min(west, east)...max(west, east),
            latitudes: min(south, north)...max(south, north))
    }

    /// The low 32 bits, moved to the even places.
    private static func spread(_ number: UInt64) -> UInt64 {
        var bits = number & 0xFFFF_FFFF
        bits = (bits | bits << 16) & 0x0000_FFFF_0000_FFFF
        bits = (bits | bits << 8) & 0x00FF_00FF_00FF_00FF
        bits = (bits | bits << 4) & 0x0F0F_0F0F_0F0F_0F0F
        bits = (bits | bits << 2) & 0x3333_3333_3333_3333
        return (bits | bits << 1) & 0x5555_5555_5555_5555
    }

    /// The bits of the even places, together.
    private static func gathered(_ number: UInt64) -> UInt32 {
        var bits = number & 0x5555_5555_5555_5555
        bits = (bits | bits >> 1) & 0x3333_3333_3333_3333
        bits = (bits | bits >> 2) & 0x0F0F_0F0F_0F0F_0F0F
        bits = (bits | bits >> 4) & 0x00FF_00FF_00FF_00FF
        bits = (bits | bits >> 8) & 0x0000_FFFF_0000_FFFF
        return UInt32(truncatingIfNeeded: bits | bits >> 16)
    }

    // MARK: Distances

    private static let earthRadius = 6372797.560856
    private static let radiansPerDegree = Double.pi / 180

    private static func radians(_ degrees: Double) -> Double { degrees * radiansPerDegree }
    private static func degrees(_ radians: Double) -> Double { radians / radiansPerDegree }

    /// Metres between two places on a sphere.
    public static func distance(_ one: Place, _ other: Place) -> Double {
        let v = sin((radians(other.longitude) - radians(one.longitude)) / 2)
        if v == 0 { return distanceInLatitude(one.latitude, other.latitude) }
        let first = radians(one.latitude)
        let second = radians(other.latitude)
        let u = sin((second - first) / 2)
        return 2 * earthRadius * asin((u * u + cos(first) * cos(second) * v * v).squareRoot())
    }

    private static func distanceInLatitude(_ one: Double, _ other: Double) -> Double {
        earthRadius * abs(radians(other) - radians(one))
    }

    // MARK: Searching

    /// What is searched around a centre, in metres.
    public enum Shape: Sendable {
        case circle(radius: Double)
        case box(width: Double, height: Double)
    }

    /// How far `place` is from the centre, if it lies in the shape.
    public static func distance(
        of place: Place, from centre: Place, in shape: Shape
    ) -> Double? {
        switch shape {
        case .circle(let radius):
            let distance = distance(centre, place)
            return distance > radius ? nil : distance
        case .box(let width, let height):
            if distanceInLatitude(place.latitude, centre.latitude) > height / 2 { return nil }
            let level = Place(longitude: centre.longitude, latitude: place.latitude)
            if distance(place, level) > width / 2 { return nil }
            return distance(centre, place)
        }
    }

    /// Ranges of scores, each from the first up to and without the second, in which everything lies that the shape
    /// has inside, in the order of search.
    public static func scoreRanges(
        around centre: Place, _ shape: Shape
    ) -> [(from: Double, upTo: Double)] {
        let cells = cells(around: centre, shape)
        var ranges: [(from: Double, upTo: Double)] = []
        var last: Cell?
        for cell in cells where cell != .none {
            // Far searches have large cells, and then neighbours on both sides may be the same.
            if cell == last { continue }
            ranges.append(cell.scores)
            // The centre's cell isn't compared with its neighbours.
            if ranges.count > 1 { last = cell }
        }
        return ranges
    }

    /// The cell of the centre and its eight neighbours, `none` where nothing can be.
    private static func cells(around centre: Place, _ shape: Shape) -> [Cell] {
        let bounds = bounds(around: centre, shape)
        let radius: Double =
            switch shape {
            case .circle(let radius): radius
            case .box(let width, let height):
                ((width / 2) * (width / 2) + (height / 2) * (height / 2)).squareRoot()
            }
        var step = step(forRadius: radius, latitude: centre.latitude)
        var middle = cell(of: centre, step: step, latitudes: latitudes)
        // Where the centre is near its cell's edge, the neighbours may not reach far enough.
        let isShort =
            area(of: middle.moved(east: 0, north: 1)).latitudes.upperBound < bounds.north
            || area(of: middle.moved(east: 0, north: -1)).latitudes.lowerBound > bounds.south
            || area(of: middle.moved(east: 1, north: 0)).longitudes.upperBound < bounds.east
            || area(of: middle.moved(east: -1, north: 0)).longitudes.lowerBound > bounds.west
        if step > 1, isShort {
            step -= 1
            middle = cell(of: centre, step: step, latitudes: latitudes)
        }
        // Directions in the order of search.
        let directions = [
            (0, 0), (0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1),
        ]
        let own = area(of: middle)
        return directions.map { east, north in
            if step >= 2 {
                // The cell itself reaches beyond the shape on that side.
                if north < 0, own.latitudes.lowerBound < bounds.south { return .none }
                if north > 0, own.latitudes.upperBound > bounds.north { return .none }
                if east < 0, own.longitudes.lowerBound < bounds.west { return .none }
                if east > 0, own.longitudes.upperBound > bounds.east { return .none }
            }
            return middle.moved(east: east, north: north)
        }
    }

    private static func bounds(
        around centre: Place, _ shape: Shape
    ) -> (west: Double, south: Double, east: Double, north: Double) {
        let (width, height): (Double, Double) =
            switch shape {
            case .circle(let radius): (radius, radius)
            case .box(let width, let height): (width / 2, height / 2)
            }
        let north = degrees(height / earthRadius)
        // Meridians are closest at the end that is nearer to a pole.
        let end = centre.latitude < 0 ? centre.latitude - north : centre.latitude + north
        let east = degrees(width / earthRadius / cos(radians(end)))
        return (
            centre.longitude - east, centre.latitude - north, centre.longitude + east,
            centre.latitude + north
        )
    }

    /// Half of the map's width in metres.
    private static let mercatorMax = 20037726.37

    /// The finest step whose cells are at least about as large as the radius.
    private static func step(forRadius radius: Double, latitude: Double) -> Int {
        if radius == 0 { return stepMax }
        var step = 1
        var reach = radius
        while reach < mercatorMax {
            reach *= 2
            step += 1
        }
        step -= 2
        // Cells are narrower towards the poles.
        if latitude.magnitude > 66 { step -= 1 }
        if latitude.magnitude > 80 { step -= 1 }
        return min(max(step, 1), stepMax)
    }
}

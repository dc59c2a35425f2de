public import HoldfastBytes

/// Which scores a command asks for. Either end may be excluded.
public struct ScoreRange {
    public var min: Double
    public var max: Double
    public var excludesMin: Bool
    public var excludesMax: Bool

    public init(min: Double, max: Double, excludesMin: Bool = false, excludesMax: Bool = false) {
        self.min = min
        self.max = max
        self.excludesMin = excludesMin
        self.excludesMax = excludesMax
    }

    /// Whether a score is too low.
    @inline(__always)
    func isBelow(_ score: Double) -> Bool { excludesMin ? score <= min : score < min }

    /// Whether a score is not too high.
    @inline(__always)
    func reaches(_ score: Double) -> Bool { excludesMax ? score < max : score <= max }

    /// Whether no score fits.
    var isEmpty: Bool { min > max || (min == max && (excludesMin || excludesMax)) }
}

/// Which members a command asks for by their bytes, in a set whose scores are all the same.
public struct MemberRange {
    public enum Bound {
        /// Before every member.
        case least
        /// Behind every member.
        case greatest
        case including(ByteSlice)
        case excluding(ByteSlice)
    }

    public var min: Bound
    public var max: Bound

    public init(min: Bound, max: Bound) {
        self.min = min
        self.max = max
    }

    /// Whether a member is too low.
    @inline(__always)
    func isBelow(_ member: ByteSlice) -> Bool {
        switch min {
        case .least: false
        case .greatest: true
        case .including(let bytes): member.compare(bytes) < 0
        case .excluding(let bytes): member.compare(bytes) <= 0
        }
    }

    /// Whether a member is not too high.
    @inline(__always)
    func reaches(_ member: ByteSlice) -> Bool {
        switch max {
        case .least: false
        case .greatest: true
        case .including(let bytes): member.compare(bytes) <= 0
        case .excluding(let bytes): member.compare(bytes) < 0
        }
    }

    /// Whether no member fits.
    var isEmpty: Bool {
        switch (min, max) {
        case (.greatest, _), (_, .least): true
        case (.least, _), (_, .greatest): false
        case (.including(let low), .including(let high)): low.compare(high) > 0
        case (.including(let low), .excluding(let high)),
            (.excluding(let low), .including(let high)),
            (.excluding(let low), .excluding(let high)):
            low.compare(high) >= 0
        }
    }
}

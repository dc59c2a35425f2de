/// The same thing for both sides.
struct Pair<Value> {
    var ours: Value
    var stock: Value

    init(_ make: (Side) throws -> Value) rethrows {
        ours = try make(.ours)
        stock = try make(.stock)
    }

    subscript(side: Side) -> Value {
        get { side == .ours ? ours : stock }
        set { if side == .ours { ours = newValue } else { stock = newValue } }
    }

    func map<R>(_ transform: (Value) throws -> R) rethrows -> Pair<R> {
        try Pair<R> { try transform(self[$0]) }
    }
}

extension Pair where Value == Double {
    /// Ours, in terms of stock's.
    var ratio: Double { ours / stock }
}

/// Calls `measure` for one side after the other, `rounds` times (A B A B …), so that what the machine does
/// besides meets both alike.
func interleaved<Sample>(
    rounds: Int, _ measure: (Side) throws -> Sample
) rethrows -> Pair<[Sample]> {
    var samples = Pair<[Sample]> { _ in [] }
    for _ in 0..<rounds {
        for side in Side.allCases { samples[side].append(try measure(side)) }
    }
    return samples
}

extension Pair {
    /// The medians of one property of all samples.
    func medians<Sample>(_ property: (Sample) -> Double) -> Pair<Double>
    where Value == [Sample] {
        map { $0.map(property).median }
    }
}

import Foundation
import HoldfastBytes
import TestSupport
import Testing

@Test(
    "doubles print as in Redis 7.2",
    arguments: [
        (0.0, "0"), (-0.0, "-0"), (0.1, "0.1"), (1, "1"), (-3, "-3"), (1.5, "1.5"), (1e20, "1e+20"),
        (1e-7, "1e-7"), (1e-5, "0.00001"), (123456.789, "123456.789"), (1e15, "1000000000000000"),
        (4_503_599_627_370_497, "4503599627370497"), (1e16, "10000000000000000"),
        (1.25e-10, "1.25e-10"),
        (12_345_678_901_234_567_168, "12345678901234567000"), (.infinity, "inf"),
        (-.infinity, "-inf"), (.leastNonzeroMagnitude, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (1234567e10, "12345670000000000"), (123e10, "1230000000000"), (0.000123456, "1.23456e-4"),
        (0.00123456, "0.00123456"), (1e100, "1e+100"),
    ])
func doublePrinting(value: Double, text: String) {
    #expect(DoubleText.text(value) == text)
}

@Test("every double reads back as itself")
func doubleRoundTrip() {
    let seed = TestSeed.next("doubles read back")
    var generator = SplitMix(state: seed)
    for _ in 0..<20_000 {
        let value = Double(bitPattern: generator.next())
        if value.isNaN { continue }
        let text = DoubleText.text(value)
        #expect(text.withSlice { DoubleText.parse($0) } == value, "\(text), seed \(seed)")
    }
}

@Test(
    "what isn't a whole number's text is refused",
    arguments: ["", " 1", "1 ", "1e", "nan", "NaN", "1_0", "5 5", "1e400", "-1e400", "1e-400", "x"])
func doubleRefused(text: String) {
    #expect(text.withSlice { DoubleText.parse($0) } == nil)
}

@Test(
    "what Redis takes as a number is taken",
    arguments: [
        ("inf", Double.infinity), ("-inf", -.infinity), ("+inf", .infinity),
        ("INFINITY", .infinity),
        ("0x10", 16), ("0x1p3", 8), ("5.", 5), (".5", 0.5), ("+5", 5),
        ("5e-324", .leastNonzeroMagnitude),
    ])
func doubleAccepted(text: String, value: Double) {
    #expect(text.withSlice { DoubleText.parse($0) } == value)
}

@Test("a text cut by its length is not read further")
func doubleLengthIsObeyed() {
    "12345".withSlice { #expect(DoubleText.parse($0.prefix(2)) == 12) }
}

@Test("INCRBYFLOAT's sums equal stock redis-server's, digit for digit")
func sumsAgainstStock() throws {
    let stock = try StockServer()
    let connection = try stock.connect()
    let seed = TestSeed.next("sums beside redis-server")
    var generator = SplitMix(state: seed)
    let odd = [
        "0", "-0", "inf", "-inf", "nan", "", " 1", "0x1p3", "1e400", "1e5000", "1e-400", "1e4932",
        "-1e4932", ".5", "5.", "+5", "9007199254740993", "0.1", "0.2", "-0.3", "1e17", "3.0e3",
    ]
    func text() -> String {
        switch UInt8.random(in: 0..<4, using: &generator) {
        case 0: return odd.randomElement(using: &generator) ?? "0"
        case 1: return String(Int.random(in: -1_000_000...1_000_000, using: &generator))
        case 2: return String(Double.random(in: -1000...1000, using: &generator))
        default:
            let exponent = Double.random(in: -20...30, using: &generator)
            return String(Double.random(in: -1...1, using: &generator) * pow(10, exponent))
        }
    }
    for _ in 0..<2_000 {
        let stored = text()
        let increment = text()
        try connection.command("SET", "k", stored)
        let reply = try connection.command("INCRBYFLOAT", "k", increment)
        let ours: Reply = stored.withSlice { stored in
            increment.withSlice { increment in
                do throws(DoubleText.SumError) {
                    return .bulk(try DoubleText.sum(stored: stored, increment: increment))
                } catch {
                    return error == .notFinite
                        ? .error("ERR increment would produce NaN or Infinity")
                        : .error("ERR value is not a valid float")
                }
            }
        }
        #expect(ours == reply, "\(stored) + \(increment), seed \(seed)")
    }
}

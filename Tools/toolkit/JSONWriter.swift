public import HoldfastBytes

/// Writes one JSON document piece by piece, so that it may be longer than memory. Indented by two spaces.
///
/// Bytes that aren't UTF-8 become `{"base64": "…"}` where a text would stand.
public final class JSONWriter {
    private let output: Output
    private let isCompact: Bool
    /// For each open object or array, whether something stands in it.
    private var levels: [Bool] = []
    private var followsKey = false

    /// - Parameter isCompact: everything on one line, as JSON Lines want it.
    public init(_ output: Output, isCompact: Bool = false) {
        self.output = output
        self.isCompact = isCompact
    }

    public func beginObject(_ key: String? = nil) { open(key, "{") }
    public func endObject() { close("}") }
    public func beginArray(_ key: String? = nil) { open(key, "[") }
    public func endArray() { close("]") }

    /// Ends the document's line.
    public func endDocument() {
        precondition(levels.isEmpty, "a JSON document ended inside an object")
        output.write("\n")
    }

    public func value(_ key: String? = nil, _ text: String) {
        begin(key)
        text.withSlice { writeQuoted($0) }
    }

    public func value(_ key: String? = nil, _ number: Int64) {
        begin(key)
        output.write(String(number))
    }

    public func value(_ key: String? = nil, _ number: UInt64) {
        begin(key)
        output.write(String(number))
    }

    public func value(_ key: String? = nil, _ number: Int) { value(key, Int64(number)) }

    /// Three decimals; what is no number becomes null.
    public func value(_ key: String? = nil, _ number: Double) {
        guard number.isFinite, abs(number) < 1e15 else { return null(key) }
        begin(key)
        let thousandths = Int64((number * 1000).rounded())
        let sign = thousandths < 0 ? "-" : ""
        let size = thousandths.magnitude
        let rest = String(1000 + size % 1000).dropFirst()
        output.write("\(sign)\(size / 1000).\(rest)")
    }

    /// A number that is text already; it must be one that JSON knows.
    public func value(_ key: String? = nil, digits: String) {
        begin(key)
        output.write(digits)
    }

    public func value(_ key: String? = nil, _ fact: Bool) {
        begin(key)
        output.write(fact ? "true" : "false")
    }

    public func null(_ key: String? = nil) {
        begin(key)
        output.write("null")
    }

    /// A key or value of a store.
    public func value(_ key: String? = nil, bytes: ByteSlice) {
        if UTF8Check.isValid(bytes) {
            begin(key)
            writeQuoted(bytes)
        } else {
            beginObject(key)
            value("base64", KeyText.base64(bytes))
            endObject()
        }
    }

    private func open(_ key: String?, _ bracket: String) {
        begin(key)
        output.write(bracket)
        levels.append(false)
    }

    private func close(_ bracket: String) {
        precondition(!levels.isEmpty, "more ends than beginnings in a JSON document")
        let isFilled = levels.removeLast()
        if isFilled { newLine() }
        output.write(bracket)
    }

    private func begin(_ key: String?) {
        if let last = levels.indices.last {
            if levels[last] { output.write(isCompact && key == nil ? "," : ",") }
            levels[last] = true
            newLine()
        }
        if let key {
            key.withSlice { writeQuoted($0) }
            output.write(isCompact ? ":" : ": ")
        }
    }

    private func newLine() {
        if isCompact { return }
        output.write("\n" + String(repeating: "  ", count: levels.count))
    }

    private func writeQuoted(_ bytes: ByteSlice) {
        output.append(0x22)
        var from = 0
        for index in 0..<bytes.count {
            let byte = bytes[index]
            if byte >= 0x20 && byte != 0x22 && byte != 0x5c && byte != 0x7f { continue }
            output.write(bytes.slice(from..<index))
            from = index + 1
            switch byte {
            case 0x22: output.write("\\\"")
            case 0x5c: output.write("\\\\")
            case 0x0a: output.write("\\n")
            case 0x0d: output.write("\\r")
            case 0x09: output.write("\\t")
            default: output.write("\\u00" + HexWindow.hex(UInt64(byte), digits: 2))
            }
        }
        output.write(bytes.slice(from..<bytes.count))
        output.append(0x22)
    }
}

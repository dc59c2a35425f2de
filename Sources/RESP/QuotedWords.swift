public import HoldfastBytes
public enum QuotedWords {
    public static func split(_ line: ByteSlice) -> [[UInt8]]? { nil }
}

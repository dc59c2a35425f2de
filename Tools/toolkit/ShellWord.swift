/// A word that the shell reads as it is: for the command lines that a report ends with.
public func shellWord(_ text: String) -> String {
    let isPlain = text.utf8.allSatisfy { byte in
        switch byte {
        case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x80...0xff: true
        default: "/._-:+,=@%".utf8.contains(byte)
        }
    }
    // What begins with a dash would be taken for an option.
    if isPlain, !text.isEmpty { return text.hasPrefix("-") && text != "-" ? "./\(text)" : text }
    let parts = text.split(separator: "'", omittingEmptySubsequences: false)
    return "'" + parts.joined(separator: "'\\''") + "'"
}

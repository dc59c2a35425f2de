internal import Glibc

/// One end of a connection, as text for CLIENT LIST and messages.
public struct PeerAddress: Sendable, Equatable {
    /// `127.0.0.1:6379`, `[::1]:6379` or `/path/to.sock:0`, as Redis writes them.
    public let text: String
    /// The other end is this machine.
    public let isLocal: Bool

    public init(text: String, isLocal: Bool) {
        self.text = text
        self.isLocal = isLocal
    }

    public static func unix(_ path: String) -> PeerAddress {
        PeerAddress(text: "\(path):0", isLocal: true)
    }

    /// The address alone: `127.0.0.1`, `::1`.
    public var host: String {
        let host = text.lastIndex(of: ":").map { text[..<$0] } ?? text[...]
        return host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : String(host)
    }

    init(_ storage: sockaddr_storage) {
        var storage = storage
        var host = [CChar](repeating: 0, count: 64)
        if storage.ss_family == sa_family_t(AF_INET) {
            // SAFETY: the family says which address the storage holds; the buffer is large enough.
            let port = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { address in
                    unsafe inet_ntop(AF_INET, &address.pointee.sin_addr, &host, 64)
                    return unsafe UInt16(bigEndian: address.pointee.sin_port)
                }
            }
            let name = Self.string(host)
            self.init(text: "\(name):\(port)", isLocal: name.hasPrefix("127."))
        } else if storage.ss_family == sa_family_t(AF_INET6) {
            let port = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
                unsafe pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { address in
                    unsafe inet_ntop(AF_INET6, &address.pointee.sin6_addr, &host, 64)
                    return unsafe UInt16(bigEndian: address.pointee.sin6_port)
                }
            }
            let name = Self.string(host)
            let isLocal = name == "::1" || name.hasPrefix("::ffff:127.")
            self.init(text: "[\(name)]:\(port)", isLocal: isLocal)
        } else {
            self.init(text: "?:0", isLocal: false)
        }
    }

    private static func string(_ characters: [CChar]) -> String {
        let bytes = characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }
}

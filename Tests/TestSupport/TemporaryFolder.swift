internal import Foundation

/// A folder of its own under the system's temporary folder, removed with all it holds when the last
/// reference goes.
public final class TemporaryFolder: Sendable {
    public let path: String

    public init() throws {
        var template = Array("/tmp/holdfast-test-XXXXXX\0".utf8CString)
        guard let made = unsafe mkdtemp(&template) else {
            throw CocoaError(.fileWriteUnknown)
        }
        // SAFETY: mkdtemp gives back the template, which ends in a NUL.
        path = unsafe String(cString: made)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    public func file(_ name: String) -> String { path + "/" + name }
}

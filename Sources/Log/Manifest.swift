internal import HoldfastPlatform
struct Manifest {
    mutating func note(durable: LSN) {}
    mutating func addSegment(name: String, number: UInt64, firstLSN: LSN) {}
    mutating func endSegment(number: UInt64, at: LSN) {}
    mutating func drop(names: [String]) {}
    func write(in folder: String, on fileSystem: any FileSystem) throws(SystemError) {}
}

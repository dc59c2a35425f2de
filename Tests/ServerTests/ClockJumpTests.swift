import Foundation
import TestSupport
import Testing

/// A server whose wall clock is off by as many seconds as the test says. A small library, made here and loaded in
/// front of the C library, adds them; what is made for this purpose (libfaketime) doesn't go with jemalloc.
private final class ShiftedServer {
    let server: ServerProcess

    private static let source = """
        #define _GNU_SOURCE
        #include <fcntl.h>
        #include <stdlib.h>
        #include <sys/mman.h>
        #include <sys/syscall.h>
        #include <time.h>
        #include <unistd.h>
        static volatile long *shift;
        __attribute__((constructor)) static void find(void) {
            int file = open(getenv("CLOCK_SHIFT_FILE"), O_RDONLY | O_CLOEXEC);
            shift = mmap(0, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
        }
        int clock_gettime(clockid_t clock, struct timespec *time) {
            int result = syscall(SYS_clock_gettime, clock, time);
            if (clock == CLOCK_REALTIME && shift) time->tv_sec += *shift;
            return result;
        }
        """

    init() throws {
        let folder = try TemporaryFolder()
        try Self.source.write(
            toFile: folder.file("shift.c"), atomically: true, encoding: .utf8)
        let run = try Subprocess.run([
            "clang", "-shared", "-fPIC", "-o", folder.file("shift.so"), folder.file("shift.c"),
        ])
        try #require(run.status == 0, "\(run.output)")
        try Data(count: 8).write(to: URL(fileURLWithPath: folder.file("shift")))
        server = try ServerProcess(
            ["--save", ""], folder: folder,
            environment: [
                "LD_PRELOAD=\(folder.file("shift.so"))", "CLOCK_SHIFT_FILE=\(folder.file("shift"))",
            ])
    }

    func set(offset: Int) throws {
        let file = try #require(FileHandle(forUpdatingAtPath: server.folder.file("shift")))
        // In place: the server has it mapped.
        unsafe withUnsafeBytes(of: offset) { unsafe file.write(Data($0)) }
        try file.close()
    }
}

/// A wall clock that jumps under the built server.
@Suite("clock jumps", .serialized)
struct ClockJumpTests {
    @Test("a jump ahead beyond the limit is reported and held: no key goes, until it is accepted")
    func ahead() throws {
        let shifted = try ShiftedServer()
        let server = shifted.server
        let connection = try server.connect()
        try connection.command("SET", "hour", "v", "EX", "3600")
        try connection.command("SET", "day", "v", "EX", "86400")
        try connection.command("HSET", "hash", "f", "v")
        try connection.command("HEXPIRE", "hash", "3600", "FIELDS", "1", "f")
        try shifted.set(offset: 7200)
        try connection.waitFor("the report") {
            server.log.contains("The system clock jumped ahead by ")
        }
        // A round of expiry later all is there, and so is the time that was left.
        let turns = try #require(Int(try stat(connection, "eventloop_cycles")))
        try connection.waitFor("more turns") {
            try #require(Int(try stat(connection, "eventloop_cycles"))) > turns + 10
        }
        #expect(try connection.command("DBSIZE") == .integer(3))
        #expect(try connection.command("GET", "hour") == .bulk("v"))
        #expect(try connection.command("HGET", "hash", "f") == .bulk("v"))
        let left = try #require(try connection.command("TTL", "hour").integer)
        #expect(left > 3000 && left <= 3600)
        #expect(try stat(connection, "expired_keys") == "0")
        // New deadlines are by the held time, too.
        try connection.command("SET", "short", "v", "PX", "50")
        try connection.waitFor("its end") {
            try connection.command("EXISTS", "short") == .integer(0)
        }
        #expect(try connection.command("DBSIZE") == .integer(3))
        // The operator says that the clock is right.
        try connection.command("CONFIG", "SET", "clock-jump-limit", "0")
        try connection.waitFor("the end of what was due") {
            try connection.command("DBSIZE") == .integer(1)
        }
        #expect(try connection.command("GET", "day") == .bulk("v"))
    }

    @Test(
        "a clock that jumps ahead and is put right expires nothing; one that goes back is reported")
    func aheadAndBack() throws {
        let shifted = try ShiftedServer()
        let server = shifted.server
        let connection = try server.connect()
        try connection.command("SET", "hour", "v", "EX", "3600")
        try shifted.set(offset: 7200)
        try connection.waitFor("the report") {
            server.log.contains("The system clock jumped ahead by ")
        }
        try shifted.set(offset: 0)
        try connection.command("CONFIG", "SET", "clock-jump-limit", "0")
        #expect(try connection.command("GET", "hour") == .bulk("v"))
        let left = try #require(try connection.command("TTL", "hour").integer)
        #expect(left > 3000 && left <= 3600)
        try shifted.set(offset: -600)
        try connection.waitFor("the report") {
            server.log.contains("The system clock went back by ")
        }
        #expect(try #require(try connection.command("TTL", "hour").integer) > 3000)
        #expect(try connection.command("GET", "hour") == .bulk("v"))
    }

    @Test("a jump within the limit is taken")
    func within() throws {
        let shifted = try ShiftedServer()
        let connection = try shifted.server.connect()
        try connection.command("SET", "soon", "v", "EX", "20")
        try shifted.set(offset: 40)
        try connection.waitFor("its end") { try connection.command("DBSIZE") == .integer(0) }
        #expect(!shifted.server.log.contains("The system clock"))
    }

    private func stat(_ connection: RESPConnection, _ field: String) throws -> String {
        let text = try connection.command("INFO", "everything").text ?? ""
        let line = text.split(whereSeparator: \.isNewline).first { $0.hasPrefix(field + ":") }
        return line.map { String($0.dropFirst(field.utf8.count + 1)) } ?? ""
    }
}

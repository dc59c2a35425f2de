// swift-tools-version: 6.2
import PackageDescription

/// Settings of every Swift target: a strict language mode, and the memory-safety fence as an error.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

/// Server-side targets are optimised across module borders (docs/decisions/0005).
let serverSide: [SwiftSetting] =
    strict + [
        // The dynamic exclusivity checks cost about 10 ns per access to a class; debug builds keep them.
        .unsafeFlags(
            ["-cross-module-optimization", "-enforce-exclusivity=unchecked"],
            .when(configuration: .release)),
        // Swift 6.3.1 never ends in this pass, which only improves what a debugger shows, on a
        // `~Copyable` struct with a loop like the command loop's.
        .unsafeFlags(
            ["-Xllvm", "-sil-disable-pass=moved-async-var-dbginfo-propagator"],
            .when(configuration: .debug)),
    ]

let package = Package(
    name: "holdfast",
    products: [
        .executable(name: "holdfast-server", targets: ["holdfast-server"])
    ],
    targets: [
        // 1 ground: C shims and bound libraries
        .target(name: "CLinux", path: "Sources/C/CLinux"),
        .systemLibrary(name: "CCrypto", path: "Sources/C/CCrypto", pkgConfig: "libcrypto"),
        .systemLibrary(name: "CISAL", path: "Sources/C/CISAL", pkgConfig: "libisal"),
        .systemLibrary(name: "CJemalloc", path: "Sources/C/CJemalloc", pkgConfig: "jemalloc"),
        .systemLibrary(name: "CLZ4", path: "Sources/C/CLZ4", pkgConfig: "liblz4"),
        .systemLibrary(name: "CLZF", path: "Sources/C/CLZF", pkgConfig: "liblzf"),
        .systemLibrary(name: "CZLIB", path: "Sources/C/CZLIB", pkgConfig: "zlib"),
        .systemLibrary(name: "CZSTD", path: "Sources/C/CZSTD", pkgConfig: "libzstd"),
        .systemLibrary(name: "CPCRE2", path: "Sources/C/CPCRE2", pkgConfig: "libpcre2-8"),
        .target(
            name: "HoldfastBytes", dependencies: ["CLinux"], path: "Sources/Bytes",
            swiftSettings: serverSide),

        // 2 memory, wire
        .target(
            name: "HoldfastRESP", dependencies: ["HoldfastBytes"], path: "Sources/RESP",
            swiftSettings: serverSide),
        .target(
            name: "HoldfastPlatform",
            dependencies: ["HoldfastBytes", "CLinux", "CISAL", "CCrypto"],
            path: "Sources/Platform", swiftSettings: serverSide),
        .target(
            name: "Store", dependencies: ["HoldfastBytes", "CLinux"], path: "Sources/Store",
            swiftSettings: serverSide),

        // 3 formats
        .target(
            name: "Log", dependencies: ["HoldfastBytes", "HoldfastRESP", "HoldfastPlatform"],
            path: "Sources/Log", swiftSettings: serverSide),
        .target(
            name: "Snapshot",
            dependencies: ["HoldfastBytes", "HoldfastPlatform", "Store", "CLZ4", "CLZF"],
            path: "Sources/Snapshot", swiftSettings: serverSide),

        // 4 roles
        .target(
            name: "Engine",
            dependencies: [
                "HoldfastBytes", "HoldfastRESP", "HoldfastPlatform", "Store", "Log", "Snapshot",
                "CLinux",
            ],
            path: "Sources/Engine", swiftSettings: serverSide),
        .target(
            name: "Replication",
            dependencies: ["HoldfastBytes", "HoldfastRESP", "HoldfastPlatform", "Log"],
            path: "Sources/Replication", swiftSettings: serverSide),

        // 5 front ends
        .target(
            name: "Server",
            dependencies: [
                "HoldfastBytes", "HoldfastRESP", "HoldfastPlatform", "Store", "Log", "Snapshot",
                "Engine", "Replication",
            ],
            path: "Sources/Server", swiftSettings: serverSide),

        // 6 programs
        .executableTarget(
            name: "holdfast-server",
            dependencies: ["Server", "HoldfastPlatform", "CJemalloc"],
            path: "Sources/holdfast-server", swiftSettings: serverSide),
        .target(
            name: "ToolKit", dependencies: ["HoldfastBytes", "HoldfastPlatform", "CPCRE2"],
            path: "Tools/toolkit", swiftSettings: serverSide),
        .target(
            name: "AOFCheck",
            dependencies: [
                "HoldfastBytes", "HoldfastRESP", "HoldfastPlatform", "Log", "Snapshot", "RDBCheck",
                "ToolKit",
            ],
            path: "Tools/aof-check", exclude: ["program"], swiftSettings: serverSide),
        .executableTarget(
            name: "aof-check", dependencies: ["AOFCheck"],
            path: "Tools/aof-check/program", swiftSettings: serverSide),
        .target(
            name: "RDBCheck",
            dependencies: [
                "ToolKit", "Snapshot", "Store", "HoldfastBytes", "HoldfastPlatform", "CZLIB",
                "CZSTD",
            ],
            path: "Tools/rdb-check/Library", swiftSettings: serverSide),
        .executableTarget(
            name: "rdb-check", dependencies: ["RDBCheck", "ToolKit"],
            path: "Tools/rdb-check/Program", swiftSettings: serverSide),
        .executableTarget(
            name: "bench",
            dependencies: ["HoldfastBytes", "HoldfastPlatform"],
            path: "Tools/bench", swiftSettings: serverSide),
        .executableTarget(
            name: "torture",
            dependencies: [
                "HoldfastBytes", "HoldfastPlatform", "Log", "Simulation", "TestSupport",
            ],
            path: "Tools/torture", swiftSettings: serverSide),

        // beside the graph: for tests and torture only
        .target(
            name: "TestSupport",
            dependencies: [
                "Engine", "Store", "Log", "HoldfastBytes", "HoldfastRESP", "HoldfastPlatform",
            ],
            path: "Tests/TestSupport", swiftSettings: serverSide),
        .target(
            name: "Simulation",
            dependencies: [
                "HoldfastBytes", "HoldfastRESP", "HoldfastPlatform", "Store", "Log", "Snapshot",
                "Engine", "Replication", "TestSupport",
            ],
            path: "Tests/Simulation", swiftSettings: serverSide),
        .testTarget(
            name: "BytesTests", dependencies: ["HoldfastBytes", "TestSupport"],
            path: "Tests/BytesTests", swiftSettings: strict),
        .testTarget(
            name: "RESPTests", dependencies: ["HoldfastRESP", "HoldfastBytes", "TestSupport"],
            path: "Tests/RESPTests", swiftSettings: strict),
        .testTarget(
            name: "PlatformTests",
            dependencies: ["HoldfastPlatform", "HoldfastBytes", "TestSupport"],
            path: "Tests/PlatformTests", swiftSettings: strict),
        .testTarget(
            name: "StoreTests",
            dependencies: ["Store", "HoldfastBytes", "HoldfastPlatform", "TestSupport"],
            path: "Tests/StoreTests", swiftSettings: strict),
        .testTarget(
            name: "LogTests",
            dependencies: [
                "Log", "HoldfastBytes", "HoldfastRESP", "HoldfastPlatform", "TestSupport",
            ],
            path: "Tests/LogTests", swiftSettings: strict),
        .testTarget(
            name: "SnapshotTests",
            dependencies: ["Snapshot", "Store", "HoldfastBytes", "HoldfastPlatform"],
            path: "Tests/SnapshotTests", swiftSettings: strict),
        .testTarget(
            name: "EngineTests",
            dependencies: [
                "Engine", "Store", "Log", "Snapshot", "HoldfastBytes", "HoldfastRESP",
                "HoldfastPlatform", "TestSupport",
            ],
            path: "Tests/EngineTests", swiftSettings: strict),
        .testTarget(
            name: "ReplicationTests",
            dependencies: [
                "Replication", "Log", "HoldfastBytes", "HoldfastRESP", "HoldfastPlatform",
                "Simulation", "TestSupport",
            ],
            path: "Tests/ReplicationTests", swiftSettings: strict),
        .testTarget(
            name: "ServerTests",
            dependencies: [
                "Server", "Engine", "Replication", "Store", "Log", "HoldfastBytes", "HoldfastRESP",
                "HoldfastPlatform", "TestSupport",
            ],
            path: "Tests/ServerTests", swiftSettings: strict),
        .target(
            name: "FuzzTargets",
            dependencies: [
                "AOFCheck", "RDBCheck", "ToolKit", "Server", "Engine", "Store", "Log", "Snapshot",
                "HoldfastBytes", "HoldfastRESP", "HoldfastPlatform", "TestSupport",
            ],
            path: "fuzz/FuzzTargets", swiftSettings: serverSide),
        .testTarget(
            name: "FuzzTests", dependencies: ["FuzzTargets"],
            path: "Tests/FuzzTests", swiftSettings: strict),
        .testTarget(
            name: "ToolTests",
            dependencies: [
                "ToolKit", "AOFCheck", "aof-check", "RDBCheck", "rdb-check", "Log",
                "HoldfastBytes", "HoldfastPlatform", "TestSupport",
            ],
            path: "Tests/ToolTests", exclude: ["Goldens"], swiftSettings: strict),
        .testTarget(
            name: "PeerTests",
            dependencies: ["HoldfastBytes", "HoldfastRESP", "HoldfastPlatform", "TestSupport"],
            path: "Tests/PeerTests", swiftSettings: strict),
    ]
)

// The fuzzers need a runtime that only `-sanitize=fuzzer` links, and `swift test` builds every target:
// they are there only for Tools/dev/fuzz.
if Context.environment["FUZZ"] != nil {
    package.targets.append(
        .target(
            name: "FuzzDriver", dependencies: ["FuzzTargets"], path: "fuzz/FuzzDriver",
            swiftSettings: strict))
    for name in [
        "resp", "segment", "manifest", "config", "commands", "listpack", "intset", "ziplist",
        "rdb", "restore", "stream", "aof-check", "rdb-check", "canary",
    ] {
        package.targets.append(
            .executableTarget(
                name: "fuzz-\(name)", dependencies: ["FuzzDriver", "FuzzTargets"],
                path: "fuzz/\(name)", swiftSettings: strict))
    }
}

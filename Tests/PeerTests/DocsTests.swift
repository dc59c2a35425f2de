internal import Foundation
import Testing

/// The documents against the tree: what they name exists, and what they draw is so.
@Suite("documents")
struct DocsTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Every page, as a path from the root.
    static let pages: [String] = {
        let top = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md"]
        let found = FileManager.default.enumerator(atPath: root.appendingPathComponent("docs").path)
        let names = found?.compactMap { $0 as? String } ?? []
        return top + names.filter { $0.hasSuffix(".md") }.sorted().map { "docs/\($0)" }
    }()

    private static func text(_ page: String) throws -> String {
        try String(contentsOf: root.appendingPathComponent(page), encoding: .utf8)
    }

    private static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appendingPathComponent(path).path)
    }

    @Test("every file that a page names exists", arguments: pages)
    func namedFilesExist(page: String) throws {
        let name = /`((?:Sources|Tests|Tools|docs|fuzz|\.ci)\/[A-Za-z0-9_.+\/-]*)/
        for match in try Self.text(page).matches(of: name) {
            let path = String(match.1)
            #expect(Self.exists(path), "\(page) names \(path)")
        }
    }

    @Test("every relative link of a page leads somewhere", arguments: pages)
    func linksLead(page: String) throws {
        let folder = page.split(separator: "/").dropLast().joined(separator: "/")
        for match in try Self.text(page).matches(of: /\]\(([^)\s]+)\)/) {
            let target = String(match.1)
            if target.contains("://") || target.hasPrefix("#") { continue }
            let path = target.split(separator: "#")[0]
            let place = folder.isEmpty ? String(path) : "\(folder)/\(path)"
            #expect(Self.exists(place), "\(page) links to \(target)")
        }
    }

    @Test("every test that a page quotes exists under that name", arguments: pages)
    func quotedTestsExist(page: String) throws {
        let quote = /`([A-Za-z]+Tests)`: "([^"]+)"/
        for match in try Self.text(page).matches(of: quote) {
            let (suite, name) = (String(match.1), String(match.2))
            let sources = try Self.testFiles(named: suite).map {
                try String(contentsOf: $0, encoding: .utf8)
            }
            #expect(
                sources.contains { $0.contains("\"\(name)\"") },
                "\(page) quotes \(suite): \(name)")
        }
    }

    private static func testFiles(named suite: String) -> [URL] {
        let tests = root.appendingPathComponent("Tests")
        let found = FileManager.default.enumerator(at: tests, includingPropertiesForKeys: nil)
        return (found?.compactMap { $0 as? URL } ?? []).filter {
            $0.lastPathComponent == "\(suite).swift"
        }
    }

    /// The table in docs/architecture.md has a row for each module: its name, then what it imports.
    @Test("the modules and edges drawn are those of Package.swift")
    func graphIsDrawn() throws {
        let manifest = try Self.text("Package.swift")
        let page = try Self.text("docs/architecture.md")
        var count = 0
        let target =
            /\.(?:target|executableTarget)\(\s*name: "([^"]+)",(?:\s*dependencies: \[([^\]]*)\])?/
        for match in manifest.matches(of: target)
        where match.1 != "TestSupport" && !match.1.lowercased().hasPrefix("fuzz") {
            let imports = (match.2 ?? "").matches(of: /"([^"]+)"/).map { String($0.1) }
            let cells = imports.isEmpty ? "—" : imports.sorted().joined(separator: ", ")
            let row = "| `\(match.1)` | \(cells) |"
            #expect(page.contains(row), "docs/architecture.md lacks the row \(row)")
            count += 1
        }
        #expect(count > 8, "Package.swift isn't written as this test expects")
    }
}

internal import HoldfastBytes
internal import ToolKit

/// The report as one HTML page: no script, nothing from outside, readable in light and dark, and on paper.
struct ReportPage {
    let file: String
    let facts: [(name: String, value: String)]
    let data: ReportData

    func html() -> String {
        var page = """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8">
            <meta name="viewport" content="width=device-width, initial-scale=1">
            <title>\(Self.escaped(file)) - rdb-check</title>
            <style>\(Self.style)</style></head><body><main>
            <header><h1>\(Self.escaped(file))</h1>
            <dl class="facts">
            """
        for fact in facts {
            page +=
                "<div><dt>\(Self.escaped(fact.name))</dt><dd>\(Self.escaped(fact.value))</dd></div>"
        }
        page += "</dl></header>"
        for line in data.advice { page += "<p class=\"advice\">\(Self.escaped(line))</p>" }
        page += section(
            "Where the bytes are",
            "By prefix; the area is bytes in the file. Numbers in names count as #.", treemap())
        page += section("Types", nil, table(data.types, first: "type"))
        page += "<div class=\"pair\">"
        page += section("Sizes", "Keys by bytes in the file", sizes())
        page += section("Deadlines", "Keys by the time they have left", deadlines())
        page += "</div>"
        page += section("Prefixes", nil, prefixes())
        page += section("Largest keys", nil, largest())
        page += section("Encodings", nil, table(data.encodings, first: "encoding"))
        page +=
            "<footer>rdb-check \(ToolVersion.product). Memory is an estimate.</footer></main></body></html>\n"
        return page
    }

    private func section(_ title: String, _ note: String?, _ body: String) -> String {
        let note = note.map { "<p class=\"note\">\(Self.escaped($0))</p>" } ?? ""
        return "<section><h2>\(title)</h2>\(note)\(body)</section>"
    }

    // MARK: The map

    private static let width = 1080.0
    private static let height = 460.0
    private static let shades = 8

    private struct Box {
        var x: Double
        var y: Double
        var width: Double
        var height: Double
    }

    private func treemap() -> String {
        guard data.all.bytes > 0 else { return "<p>There are no keys.</p>" }
        var svg =
            "<svg class=\"map\" viewBox=\"0 0 \(Int(Self.width)) \(Int(Self.height))\" role=\"img\" aria-label=\"Bytes by prefix\">"
        let whole = Box(x: 0, y: 0, width: Self.width, height: Self.height)
        let parts = Self.parts(data.root)
        for (index, (part, box)) in Self.laidOut(parts, in: whole).enumerated() {
            let shade = index % Self.shades
            svg += rectangle(
                box, part, "c\(shade)", isGroup: part.node.map { !$0.children.isEmpty } ?? false)
            guard let node = part.node, !node.children.isEmpty, box.width > 60, box.height > 50
            else { continue }
            let inner = Box(
                x: box.x + 4, y: box.y + 22, width: box.width - 8, height: box.height - 26)
            for (child, place) in Self.laidOut(Self.parts(node), in: inner) {
                svg += rectangle(place, child, "c\(shade) inner", isGroup: false)
            }
        }
        return svg + "</svg>"
    }

    private struct Part {
        var name: String
        var sum: ReportData.Sum
        var node: ReportData.Node?
    }

    /// The first node on the way down that is more than a step: `a:b:` where all that begins with a: goes on with b:.
    private static func collapsed(_ node: ReportData.Node) -> ReportData.Node {
        var node = node
        while let only = node.children.first?.value, node.children.count == 1,
            only.sum.keys == node.sum.keys
        {
            node = only
        }
        return node
    }

    /// The largest parts of a node, and all the rest as one.
    private static func parts(_ node: ReportData.Node) -> [Part] {
        let children = node.sorted.map(collapsed)
        var parts = children.prefix(24).map { Part(name: $0.name, sum: $0.sum, node: $0) }
        var rest = node.sum
        for part in parts {
            rest.keys -= part.sum.keys
            rest.bytes -= part.sum.bytes
        }
        if rest.keys > 0 {
            let name = children.isEmpty ? node.name : "\(node.name)(other)"
            parts.append(Part(name: name.isEmpty ? "(no prefix)" : name, sum: rest, node: nil))
        }
        return parts.sorted { $0.sum.bytes > $1.sum.bytes }
    }

    /// Squarified: rows of boxes as square as they come, along the shorter side.
    private static func laidOut(_ parts: [Part], in whole: Box) -> [(Part, Box)] {
        let total = parts.reduce(0.0) { $0 + Double(max($1.sum.bytes, 1)) }
        guard total > 0, whole.width > 2, whole.height > 2 else { return [] }
        let scale = whole.width * whole.height / total
        var left = whole
        var result: [(Part, Box)] = []
        var row: [(Part, Double)] = []
        func worst(_ row: [(Part, Double)], _ side: Double) -> Double {
            let sum = row.reduce(0) { $0 + $1.1 }
            guard sum > 0 else { return .infinity }
            return row.reduce(0) { worst, item in
                max(
                    worst,
                    max(side * side * item.1 / (sum * sum), sum * sum / (side * side * item.1)))
            }
        }
        func place() {
            let sum = row.reduce(0) { $0 + $1.1 }
            guard sum > 0 else { return }
            let isTall = left.height < left.width
            let side = isTall ? left.height : left.width
            let depth = sum / side
            var along = 0.0
            for (part, area) in row {
                let length = area / depth
                result.append(
                    (
                        part,
                        isTall
                            ? Box(x: left.x, y: left.y + along, width: depth, height: length)
                            : Box(x: left.x + along, y: left.y, width: length, height: depth)
                    ))
                along += length
            }
            if isTall {
                left.x += depth
                left.width -= depth
            } else {
                left.y += depth
                left.height -= depth
            }
            row = []
        }
        for part in parts {
            let item = (part, Double(max(part.sum.bytes, 1)) * scale)
            let side = min(left.width, left.height)
            if !row.isEmpty, worst(row + [item], side) > worst(row, side) { place() }
            row.append(item)
        }
        place()
        return result
    }

    private func rectangle(_ box: Box, _ part: Part, _ style: String, isGroup: Bool) -> String {
        guard box.width > 1, box.height > 1 else { return "" }
        let number = { (value: Double) in Quantities.decimal(value, digits: 1) }
        let title =
            "\(part.name): \(Quantities.bytes(part.sum.bytes)), \(Quantities.count(part.sum.keys)) keys"
        var text =
            "<g><title>\(Self.escaped(title))</title><rect class=\"\(style)\" x=\"\(number(box.x))\" y=\"\(number(box.y))\" width=\"\(number(max(box.width - 1.5, 0.5)))\" height=\"\(number(max(box.height - 1.5, 0.5)))\" rx=\"2\"/>"
        if box.width > 46, box.height > 18 {
            let letters = Int((box.width - 12) / 7.2)
            let name =
                part.name.count > letters
                ? String(part.name.prefix(max(1, letters - 1))) + "…" : part.name
            text +=
                "<text x=\"\(number(box.x + 6))\" y=\"\(number(box.y + 15))\">\(Self.escaped(name))</text>"
            if !isGroup, box.height > 36, box.width > 70 {
                text +=
                    "<text class=\"small\" x=\"\(number(box.x + 6))\" y=\"\(number(box.y + 30))\">\(Quantities.bytes(part.sum.bytes))</text>"
            }
        }
        return text + "</g>"
    }

    // MARK: Bars and tables

    private func bars(_ rows: [(name: String, keys: UInt64, bytes: Int64)]) -> String {
        let most = rows.map(\.keys).max() ?? 0
        var text = "<table class=\"bars\">"
        for row in rows {
            let share = most > 0 ? Double(row.keys) * 100 / Double(most) : 0
            text +=
                "<tr><th>\(Self.escaped(row.name))</th><td class=\"bar\"><i style=\"width:\(Quantities.decimal(share, digits: 1))%\"></i></td><td>\(Quantities.count(row.keys))</td><td>\(Quantities.bytes(row.bytes))</td></tr>"
        }
        return text + "</table>"
    }

    private func sizes() -> String {
        let used = data.sizes.indices.filter { data.sizes[$0].keys > 0 }
        guard let first = used.first, let last = used.last else { return "<p>none</p>" }
        return bars(
            (first...last).map { power in
                let sum = data.sizes[power]
                return ("up to \(Quantities.bytes(2 << Int64(power) - 1))", sum.keys, sum.bytes)
            })
    }

    private func deadlines() -> String {
        var rows: [(name: String, keys: UInt64, bytes: Int64)] = [
            (
                "none", data.all.keys - data.withDeadline.keys,
                data.all.bytes - data.withDeadline.bytes
            )
        ]
        for (index, sum) in data.deadlines.enumerated() {
            rows.append((ReportData.lifetimes[index].name, sum.keys, sum.bytes))
        }
        return bars(rows)
    }

    private func table(_ sums: [String: ReportData.Sum], first: String) -> String {
        var text =
            "<table><thead><tr><th>\(first)</th><th>keys</th><th>elements</th><th>bytes</th><th>memory</th></tr></thead>"
        for (name, sum) in sums.sorted(by: { $0.value.bytes > $1.value.bytes }) {
            text += row(name, sum)
        }
        return text + "</table>"
    }

    private func row(_ name: String, _ sum: ReportData.Sum) -> String {
        "<tr><th>\(Self.escaped(name))</th><td>\(Quantities.count(sum.keys))</td><td>\(Quantities.count(sum.elements))</td><td>\(Quantities.bytes(sum.bytes))</td><td>\(Quantities.bytes(sum.memory))</td></tr>"
    }

    private func prefixes() -> String {
        var rows: [ReportData.Node] = []
        func collect(_ node: ReportData.Node, _ depth: Int) {
            for child in node.sorted.prefix(12) {
                rows.append(child)
                if depth < 2 { collect(child, depth + 1) }
            }
        }
        collect(data.root, 0)
        guard !rows.isEmpty else { return "<p>No name has a separator in it.</p>" }
        var text =
            "<table><thead><tr><th>prefix</th><th>keys</th><th>elements</th><th>bytes</th><th>memory</th></tr></thead>"
        for node in rows.prefix(60) { text += row(node.name, node.sum) }
        return text + "</table>"
    }

    private func largest() -> String {
        var text =
            "<table><thead><tr><th>key</th><th>type</th><th>elements</th><th>bytes</th><th>memory</th></tr></thead>"
        for key in data.ranking.sorted {
            let name = key.key.withSlice { KeyText.utf8.text($0, bytesMax: 80) }
            text +=
                "<tr><th>\(Self.escaped(name))</th><td>\(key.type)</td><td>\(Quantities.count(key.elements))</td><td>\(Quantities.bytes(key.bytes))</td><td>\(Quantities.bytes(key.memory))</td></tr>"
        }
        return text + "</table>"
    }

    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default:
                // What a terminal would take as a command has no place in a page either.
                if scalar.value < 32 || scalar.value == 127 {
                    result += "\u{fffd}"
                } else {
                    result.unicodeScalars.append(scalar)
                }
            }
        }
        return result
    }

    private static let style = """
        :root{color-scheme:light dark;--bg:#fbfaf8;--fg:#1d2127;--dim:#69707a;--line:#e2dfd9;--card:#fff;--bar:#2f6f8f;
        --c0:#cfe3ee;--c1:#d9e8cf;--c2:#f3dfc4;--c3:#e6d6ec;--c4:#f2d3d0;--c5:#cfe9e3;--c6:#efe6bd;--c7:#d8dbe6}
        @media(prefers-color-scheme:dark){:root{--bg:#15181c;--fg:#e6e8ea;--dim:#98a1ab;--line:#2b3138;--card:#1b1f24;--bar:#6bb3d6;
        --c0:#24475a;--c1:#33502a;--c2:#5c4423;--c3:#4a3456;--c4:#5b302d;--c5:#22524a;--c6:#555020;--c7:#363c50}}
        *{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
        main{max-width:1120px;margin:0 auto;padding:28px 20px}h1{font-size:24px;margin:0 0 14px;overflow-wrap:anywhere}
        h2{font-size:16px;margin:0 0 8px}section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:16px 18px;margin:16px 0;overflow-x:auto}
        .facts{display:flex;flex-wrap:wrap;gap:6px 28px;margin:0}.facts dt{color:var(--dim);font-size:12px}.facts dd{margin:0;font-variant-numeric:tabular-nums}
        .note,.small,footer{color:var(--dim);font-size:13px}.note{margin:-4px 0 10px}.advice{border-left:3px solid var(--bar);padding:2px 12px;margin:14px 0 0}
        .pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:0 16px}
        table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums;font-size:14px}th,td{text-align:right;padding:3px 10px 3px 0;border-bottom:1px solid var(--line)}
        tr:last-child>*{border-bottom:0}td{white-space:nowrap}th:first-child{text-align:left;font-weight:500;overflow-wrap:anywhere;max-width:380px}thead th{color:var(--dim);font-weight:400;font-size:13px}
        .bars th{white-space:nowrap;width:1%}.bars .bar{width:60%}.bars i{display:block;height:11px;min-width:1px;background:var(--bar);border-radius:2px}
        .map{width:100%;height:auto;display:block}.map text{font-size:12px;fill:var(--fg);pointer-events:none}.map .small{font-size:11px;fill:var(--dim)}
        .map rect{stroke:var(--card);stroke-width:1}.map .inner{stroke:var(--fg);stroke-opacity:.18;fill-opacity:.75}
        .c0{fill:var(--c0)}.c1{fill:var(--c1)}.c2{fill:var(--c2)}.c3{fill:var(--c3)}.c4{fill:var(--c4)}.c5{fill:var(--c5)}.c6{fill:var(--c6)}.c7{fill:var(--c7)}
        @media print{body{background:#fff}section{break-inside:avoid}}
        """
}

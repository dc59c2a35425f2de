/// Stand-in until the configuration is merged.
struct Configuration: Sendable {
    var values: [String: String] = [:]
    init(arguments: [String]) {
        var index = 0
        while index + 1 < arguments.count {
            values[String(arguments[index].dropFirst(2))] = arguments[index + 1]
            index += 2
        }
    }
    func string(_ name: String, _ fallback: String) -> String { values[name] ?? fallback }
    func int(_ name: String, _ fallback: Int) -> Int { Int(values[name] ?? "") ?? fallback }
}

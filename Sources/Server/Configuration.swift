internal import HoldfastBytes
internal import HoldfastPlatform

/// The values of all settings, and what a configuration file says beside them.
///
/// A value type: a change is made on a copy and takes the original's place only when the server could
/// apply it. It does no I/O but where a value names a folder or the log file, which must exist or be
/// writable.
public struct Configuration: Sendable {
    private var values: [ConfigurationValue]
    /// The settings that a file or the command line named.
    public private(set) var given: Set<Setting> = []
    /// Directives of old versions that were given and do nothing.
    var ignored: Set<String> = []
    /// The configuration file as an absolute path; nil when started without one.
    public internal(set) var file: String?
    /// `user` lines, word by word, without the directive itself; for the ACL.
    public internal(set) var users: [[[UInt8]]] = []
    /// `rename-command` lines in order; an empty new name removes the command.
    public internal(set) var renamedCommands: [RenamedCommand] = []
    /// `loadmodule` lines: path and arguments. This server has no modules, so it must refuse to start.
    public internal(set) var modules: [[[UInt8]]] = []
    /// Names of directives of the form `module.setting`; they abort the start as in Redis.
    public internal(set) var moduleSettings: [String] = []
    /// What relative folders are relative to: the working folder at start, then `dir`.
    private let startFolder: String

    public struct RenamedCommand: Equatable, Sendable {
        public let old: [UInt8]
        public let new: [UInt8]
    }

    /// All defaults.
    /// - Parameter folder: absolute path of the working folder.
    public init(folder: String) {
        startFolder = folder
        values = ConfigurationTable.directives.map { $0.defaultValue(in: folder) }
    }

    /// The value of a setting.
    public subscript(_ setting: Setting) -> ConfigurationValue { values[setting.rawValue] }

    /// What the setting has when nobody sets it.
    func defaultValue(_ setting: Setting) -> ConfigurationValue {
        setting.directive.defaultValue(in: startFolder)
    }

    /// Names of directives that were given but have no meaning in this server yet, sorted; the server
    /// lists them once at start.
    public var settingsWithoutMeaning: [String] {
        let idle = given.filter { $0.directive.traits.contains(.idle) }.map { $0.name }
        return (idle + ignored).sorted()
    }

    // MARK: Typed reading. The setting's kind must be the one asked for: a mistake in the program.

    public func flag(_ setting: Setting) -> Bool {
        guard case .flag(let isOn) = self[setting] else { wrongKind(setting) }
        return isOn
    }

    /// Unsigned 64-bit settings above Int64.max come out as Int64.max.
    public func number(_ setting: Setting) -> Int {
        guard case .number(let number) = self[setting],
            case .number(_, _, let bounds) = setting.directive.kind
        else { wrongKind(setting) }
        if case .unsigned = bounds, number < 0 { return Int.max }
        return Int(number)
    }

    /// An index into the directive's names; for `shutdown-on-…` flags (save 1, nosave 2, now 4, force 8).
    public func choice(_ setting: Setting) -> Int {
        guard case .choice(let chosen) = self[setting] else { wrongKind(setting) }
        return chosen
    }

    /// The name of what is chosen.
    public func choiceName(_ setting: Setting) -> String {
        setting.directive.printed(choice: choice(setting))
    }

    public func bytes(_ setting: Setting) -> [UInt8] {
        guard case .text(let bytes) = self[setting] else { wrongKind(setting) }
        return bytes
    }

    /// With invalid UTF-8 repaired; for passwords use `bytes`.
    public func text(_ setting: Setting) -> String {
        String(decoding: bytes(setting), as: UTF8.self)
    }

    private func wrongKind(_ setting: Setting) -> Never {
        preconditionFailure("\(setting.name) was read as another kind of value")
    }

    // MARK: Changing

    /// Sets one directive from its words, as a line of a file does.
    mutating func set(
        _ setting: Setting, to words: [[UInt8]], accumulates: Bool
    ) throws(ConfigurationRefusal) {
        values[setting.rawValue] = try setting.directive.parse(
            words, current: self[setting], accumulates: accumulates, folder: dir)
        given.insert(setting)
    }

    /// What REPLICAOF has chosen; nil for NO ONE.
    mutating func setPrimary(_ address: PrimaryAddress?) {
        values[Setting.replicaof.rawValue] = .primary(address)
        given.insert(.replicaof)
    }

    /// CONFIG SET: all pairs or none.
    ///
    /// - Parameters:
    ///   - pairs: names (any case, aliases too) and values as the client sent them.
    ///   - allowsProtected: whether this client may change protected settings.
    ///   - isLoading: whether data is being loaded at the moment.
    ///   - apply: puts a configuration into force, given the settings that changed; a refusal with the
    ///     setting that is to blame undoes the change, after which `apply` is called once more with the
    ///     old configuration, whose answer doesn't matter.
    /// - Returns: the settings that were changed.
    @discardableResult
    public mutating func set(
        _ pairs: [(name: [UInt8], value: [UInt8])], allowsProtected: Bool, isLoading: Bool,
        apply: (Configuration, [Setting]) -> ConfigurationRejection? = { _, _ in nil }
    ) throws(ConfigurationSetError) -> [Setting] {
        let targets = try resolve(pairs, allowsProtected: allowsProtected, isLoading: isLoading)
        var changed = self
        var settings: [Setting] = []
        for (target, pair) in zip(targets, pairs) {
            let setting = target.setting
            let directive = setting.directive
            let words =
                directive.traits.contains(.severalWords)
                ? Self.words(pair.value) : [pair.value]
            do throws(ConfigurationRefusal) {
                let value = try directive.parse(
                    words, current: changed[setting], accumulates: false, folder: changed.dir)
                let isSame = value == changed[setting]
                changed.values[setting.rawValue] = value
                if isSame && !directive.traits.contains(.appliedUnchanged) { continue }
                if !settings.contains(setting) { settings.append(setting) }
            } catch {
                throw .refused(argument: target.name, reason: error.reason)
            }
        }
        if settings.isEmpty { return [] }
        if let rejection = apply(changed, settings) {
            _ = apply(self, settings)
            throw .refused(argument: rejection.setting.name, reason: rejection.reason)
        }
        self = changed
        return settings
    }

    /// Finds the settings and refuses what may not be changed, in the order in which Redis checks.
    private func resolve(
        _ pairs: [(name: [UInt8], value: [UInt8])], allowsProtected: Bool, isLoading: Bool
    ) throws(ConfigurationSetError) -> [(setting: Setting, name: String)] {
        var targets: [(setting: Setting, name: String)] = []
        for pair in pairs {
            let argument = String(decoding: pair.name, as: UTF8.self)
            guard let setting = ConfigurationTable.find(argument) else {
                throw .unknownOption(argument)
            }
            let traits = setting.directive.traits
            if traits.contains(.immutable) {
                throw .refused(argument: argument, reason: "can't set immutable config")
            }
            if traits.contains(.protected) && !allowsProtected {
                throw .refused(argument: argument, reason: "can't set protected config")
            }
            if traits.contains(.refusedWhileLoading) && isLoading { throw .loading }
            // An alias beside its own name isn't noticed, in Redis neither: the later pair wins.
            let name = argument.lowercased()
            if targets.contains(where: { $0.name == name }) {
                throw .refused(argument: argument, reason: "duplicate parameter")
            }
            targets.append((setting, name))
        }
        return targets
    }

    /// CONFIG SET gives several words in one argument, with exactly one blank between two.
    private static func words(_ value: [UInt8]) -> [[UInt8]] {
        if value.isEmpty { return [] }
        return value.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
            .map { Array($0) }
    }

    // MARK: CONFIG GET

    /// The settings whose names or aliases match any of `patterns`, each name once.
    ///
    /// A word without `*`, `?`, `[` asks for one name, is answered as it was written, and finds hidden
    /// settings too.
    public func get(_ patterns: [[UInt8]]) -> [(name: [UInt8], value: [UInt8])] {
        var answered: Set<String> = []
        var result: [(name: [UInt8], value: [UInt8])] = []
        for pattern in patterns {
            if pattern.withSlice({ Glob.isPattern($0) }) {
                for directive in ConfigurationTable.directives {
                    if directive.traits.contains(.hidden) { continue }
                    for name in [directive.name, directive.alias].compactMap({ $0 }) {
                        let bytes = Array(name.utf8)
                        let isMatch = pattern.withSlice { pattern in
                            bytes.withSlice { Glob.matches(pattern, $0, ignoringCase: true) }
                        }
                        guard isMatch, answered.insert(name).inserted else { continue }
                        result.append((bytes, printed(directive.setting)))
                    }
                }
            } else {
                let name = String(decoding: pattern, as: UTF8.self)
                guard let setting = ConfigurationTable.find(name) else { continue }
                guard answered.insert(name.lowercased()).inserted else { continue }
                result.append((pattern, printed(setting)))
            }
        }
        return result
    }

    /// A setting's value as CONFIG GET shows it.
    public func printed(_ setting: Setting) -> [UInt8] { setting.directive.printed(self[setting]) }

    /// Whether the value of the directive `name` must be kept out of MONITOR, SLOWLOG and diagnostics.
    public static func isSensitive(_ name: [UInt8]) -> Bool {
        let setting = ConfigurationTable.find(String(decoding: name, as: UTF8.self))
        return setting?.directive.traits.contains(.sensitive) ?? false
    }
}

/// What `apply` answers when the system doesn't let it put a setting into force.
public struct ConfigurationRejection: Error, Equatable, Sendable {
    public let setting: Setting
    public let reason: String

    public init(_ setting: Setting, _ reason: String) {
        self.setting = setting
        self.reason = reason
    }
}

/// Why CONFIG SET changed nothing.
public enum ConfigurationSetError: Error, Equatable, Sendable {
    case unknownOption(String)
    case refused(argument: String, reason: String)
    /// The setting can't be changed while data is loaded.
    case loading

    /// The reply, without the leading `-`.
    public var reply: String {
        switch self {
        case .unknownOption(let name):
            "ERR Unknown option or number of arguments for CONFIG SET - '\(name)'"
        case .refused(let argument, let reason):
            "ERR CONFIG SET failed (possibly related to argument '\(argument)') - \(reason)"
        case .loading:
            "LOADING Redis is loading the dataset in memory"
        }
    }
}

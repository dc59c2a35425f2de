/// One row of the table of directives: everything that is known about a setting but its value.
public struct Directive: Sendable {
    public let setting: Setting
    /// As it is written in files and CONFIG, lower case.
    public let name: String
    /// An older name that is accepted and reported as well.
    public let alias: String?
    public let kind: Kind
    public let traits: Traits
    /// One line for people: the sample file and the documentation.
    public let summary: String

    init(
        _ setting: Setting, _ name: String, alias: String? = nil, _ kind: Kind,
        traits: Traits = [], _ summary: String
    ) {
        self.setting = setting
        self.name = name
        self.alias = alias
        self.kind = kind
        self.traits = traits
        self.summary = summary
    }

    /// The form of a value, with the default it starts with.
    public enum Kind: Sendable {
        case flag(Bool)
        case number(Int64, Unit, Bounds)
        /// An index into the names.
        case choice(Choices, Int)
        case text(String, TextRule)
        /// A folder that must exist; kept as an absolute path.
        case folder
        case addresses(String)
        case savePoints(String)
        case bufferLimits
        case percentiles(String)
        case scores(String)
        case keyEvents
        case primary
    }

    public enum Unit: Sendable {
        case plain
        /// Bytes, written with an optional unit.
        case memory
        /// Bytes, or a percentage, which is held as a negative number.
        case memoryOrPercent
        case octal
    }

    public enum Bounds: Sendable {
        /// Both ends inclusive.
        case range(Int64, Int64)
        /// All of UInt64, held as its bit pattern.
        case unsigned
    }

    public enum Choices: Sendable {
        case names([String])
        /// `no`, `yes`, `local`: who may do something.
        case permission
        /// Flags that combine.
        case shutdown

        public var names: [String] {
            switch self {
            case .names(let names): names
            case .permission: ["no", "yes", "local"]
            case .shutdown: ["default", "save", "nosave", "now", "force"]
            }
        }
    }

    public enum TextRule: Sendable {
        /// Any text up to the first zero byte.
        case free
        /// Any bytes.
        case binary
        case fileName
        case nonEmptyFileName
        case nonEmptyFolderName
        case titleTemplate
        case hostName
        case nodeName
    }

    public struct Traits: OptionSet, Sendable {
        public let rawValue: UInt16
        public init(rawValue: UInt16) { self.rawValue = rawValue }

        /// CONFIG SET is refused.
        public static let immutable = Traits(rawValue: 1)
        /// CONFIG SET needs `enable-protected-configs`.
        public static let protected = Traits(rawValue: 2)
        /// CONFIG SET is refused while data is loaded.
        public static let refusedWhileLoading = Traits(rawValue: 4)
        /// CONFIG GET shows it by its exact name only.
        public static let hidden = Traits(rawValue: 8)
        /// The value must not appear in MONITOR, SLOWLOG and diagnostics.
        public static let sensitive = Traits(rawValue: 16)
        /// The value is several words.
        public static let severalWords = Traits(rawValue: 32)
        /// CONFIG SET applies it even if it stays the same (files named by it may have changed).
        public static let appliedUnchanged = Traits(rawValue: 64)
        /// Accepted, kept and reported, but nothing in this program asks for it yet.
        public static let idle = Traits(rawValue: 128)
    }
}

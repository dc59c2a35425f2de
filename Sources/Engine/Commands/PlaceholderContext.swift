public struct CommandContext: ~Copyable {}
public struct CommandError: Error {}

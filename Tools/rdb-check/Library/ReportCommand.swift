internal import ToolKit

extension RDBCheckSession {
    func report() throws(WalkFailure) -> ExitCode { .usage }
}

internal import ToolKit

extension RDBCheckSession {
    func top() throws(WalkFailure) -> ExitCode { .usage }
    func report() throws(WalkFailure) -> ExitCode { .usage }
    func diff() throws(WalkFailure) -> ExitCode { .usage }
    func convert() throws(WalkFailure) -> ExitCode { .usage }
    func salvage() throws(WalkFailure) -> ExitCode { .usage }
}

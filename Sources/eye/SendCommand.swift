/// `eye send`.
enum SendCommand {
    static let command = Command(
        path: ["send"], summary: "Sends events.", options: [], run: { _ throws(Failure) in ExitCode.failure })
}

/// `eye tail`.
enum TailCommand {
    static let command = Command(
        path: ["tail"], summary: "Follows new events.", options: [], run: { _ throws(Failure) in ExitCode.failure })
}

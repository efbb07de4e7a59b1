// `eye serve --print-config`: each setting and where it comes from, written as a configuration file that would set the same.

/// Writes settings.
enum SettingsText {
    /// One line an option; what is not set stands there as a comment.
    static func text(_ invocation: Invocation) -> String {
        let rows = invocation.command.options.filter { !$0.isCommandLineOnly }.flatMap { row($0, invocation) }
        let width = rows.map(\.setting.unicodeScalars.count).max() ?? 0
        return rows.map { row in
            let padding = String(repeating: " ", count: width - row.setting.unicodeScalars.count)
            return "\(row.setting)\(padding)  # \(row.origin)\n"
        }.joined()
    }

    private static func row(_ option: Option, _ invocation: Invocation) -> [(setting: String, origin: String)] {
        let origin = invocation.origins[option.name].map { Visible.text($0.description) }
        var values = invocation.all(option.name)
        if option.isFlag { values = [values.isEmpty ? Option.off : Option.on] }
        if values.isEmpty { return [("# \(option.name) =", "not set")] }
        return values.map { ("\(option.name) = \(ConfigValue.text($0))", origin ?? ValueOrigin.fallback.description) }
    }
}

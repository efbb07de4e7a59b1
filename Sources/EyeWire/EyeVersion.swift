// The version of this program, in one place.

/// What `eye --version`, HELLO and the Server header say.
public enum EyeVersion {
    public static let text = "0.1.0"
}

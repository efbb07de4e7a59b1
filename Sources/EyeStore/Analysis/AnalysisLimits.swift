// Every limit of analyses, named. docs/limits.md has the same numbers.

/// The limits of analyses.
public enum AnalysisLimits {
    /// Bytes of tables that one analysis holds; when more would be needed it goes over the events in several passes, or is refused.
    public static let tableBytesMax = 24 << 20
    /// Bytes of tables of all analyses of a process together.
    public static let roomBytesMax = 48 << 20
    /// Room is taken in pieces of so many bytes.
    public static let roomPieceBytes = 1 << 18
    /// Passes that one analysis makes at most.
    public static let passesMax = 1000
    /// Fields that events are grouped by at a time.
    public static let fieldsMax = 3
    /// Groups of a count, and series of a histogram; more are refused.
    public static let groupsMax = 10_000
    /// The largest number of most frequent values that can be asked for.
    public static let topMax = 10_000
    /// Buckets of a histogram, empty ones included.
    public static let bucketsMax = 10_000
    /// Buckets of all series of a histogram together.
    public static let cellsMax = 200_000
    /// Steps of a funnel.
    public static let funnelStepsMax = 8
    /// Times to a funnel's step that are kept to find the middle one; of more it is found in several rounds.
    public static let timesKept = 1 << 15
    /// Different (category, name, hour) of a segment of the log whose numbers are remembered.
    public static let hourEntriesKept = 4096
    /// Row groups that are counted in one go for it.
    public static let hourGroupsPerStep = 8
    /// Entries of a dictionary, or sessions, that are looked at in one go.
    public static let entriesPerStep = 4096
    /// Rows of a group that keep their data in one piece and are read one by one beside its columns; with more, all of its events are
    /// read.
    public static let wholeRowsMax = 64
    /// Events of a funnel that are put in order in one go.
    public static let funnelEventsPerStep = 16_384
    /// Sessions that a page of sessions looks at in one step.
    public static let sessionRowsPerStep = 8192
}

// Every problem of an event at once, for HTTP, where a person or a form wants them all. The same scanner, asked again for
// the next problem until there is none: what the line protocol tells is by construction the first one of this list.

/// Judges events at length.
public enum EventCheck {
    /// Everything that is wrong with the event `bytes`, in the order of the text, missing members last; empty for a valid
    /// event. A text that is no JSON object has the one problem that ended its reading. At most
    /// ``WireLimits/problemsMax``.
    public static func problems(_ bytes: UnsafeRawBufferPointer, latest: Int64) -> [Fault] {
        var problems: [Fault] = []
        var fields = EventFields()
        while problems.count < WireLimits.problemsMax {
            do throws(Fault) {
                var passed = Problems(passing: problems.count)
                try unsafe EventScanner.scan(bytes, latest: latest, &passed, into: &fields)
                break
            } catch {
                problems.append(error)
                // Of these nothing more can be said.
                if [.badJSON, .badUTF8, .tooDeep, .notObject, .tooLong].contains(error.reject) { break }
            }
        }
        return problems
    }
}

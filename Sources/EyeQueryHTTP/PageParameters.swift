// `limit` and `cursor` of lists without filters, newest first: their key falls from page to page, so that later entries neither shift nor join a
// page. Pure.

/// Reads `limit` and `cursor`.
enum PageParameters {
    /// The parameters that exist.
    static let known = ["limit", "cursor"]

    static func read(
        _ route: Route, _ parameters: QueryParameters
    ) throws(ProblemError) -> (limit: Int, before: UInt64?) {
        if let unknown = parameters.firstUnknown(known) {
            throw ProblemError(Problem.unknownParameter(unknown, known: known))
        }
        var problem = Problem(400, "bad-parameter")
        let limit = parameters.limit(&problem)
        var before: UInt64?
        if let value = parameters.single("cursor", &problem) {
            if let cursor = PageCursor(parsing: value),
                cursor.fingerprint == PageCursor.fingerprint(route.rawValue, parameters)
            {
                before = cursor.last
            } else {
                problem.add("cursor", "This cursor is of another list; start again without it.")
            }
        }
        try problem.throwIfAny()
        return (limit, before)
    }

    static func link(_ route: Route, _ parameters: QueryParameters, _ last: UInt64) -> ResponseField {
        PageLink.next(
            route.rawValue, parameters,
            PageCursor(upper: 0, last: last, now: 0, fingerprint: PageCursor.fingerprint(route.rawValue, parameters)))
    }
}

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
        let fingerprint = PageCursor.fingerprint(route.rawValue, parameters)
        let cursor = PageCursor.read(parameters, fingerprint: fingerprint, &problem)
        try problem.throwIfAny()
        return (limit, cursor?.last)
    }

    static func link(_ route: Route, _ parameters: QueryParameters, _ last: UInt64) -> ResponseField {
        PageLink.next(
            route.rawValue, parameters,
            PageCursor(upper: 0, last: last, now: 0, fingerprint: PageCursor.fingerprint(route.rawValue, parameters)))
    }
}

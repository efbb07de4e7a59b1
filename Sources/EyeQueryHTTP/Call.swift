// An authenticated request, on its way from the router to an endpoint.

import EyeStore

/// A head with everything that was judged before an endpoint sees it.
struct Call {
    var head: RequestHead
    var route: Route
    /// The number in the path.
    var id: UInt64?
    /// The session in the path.
    var session: ID128?
    var parameters: QueryParameters
    var peer: Peer
    /// Nil on routes for everybody.
    var caller: Caller?
    var budget: BodyBudget
    /// Whose memory the answer takes.
    var account: AnswerAccount { caller.map { AnswerAccount($0.token) } ?? .strangers }
    /// Asks the connection to ask the exchange again.
    var wake: () -> Void
}

/// Who calls, by which secret.
struct Caller {
    var secret: [UInt8]
    var token: TokenEntry
}

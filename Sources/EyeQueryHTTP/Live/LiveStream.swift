// One live stream: events as they become durable, and, if asked for, refused ones, made while the client takes them. It is a place in the store's
// files: a client that is slow is behind, and costs nobody anything but its own output buffer. One that is too far behind is told what it
// misses and skips to the newest event. On the loop's thread.
//
// Too far: `HTTPLimits.liveBehindEventsMax` ids came while the client took nothing of a full output, and the stream is so much further behind than at
// its best. So one that begins far behind (`after`, `since`) is given all of it as long as it gains on the newest event, or keeps up with it; and
// one whose client takes everything is never too slow, however long it takes to find what passes a filter.

import EyeStore
import EyeSystem

/// A live stream.
final class LiveStream: BodyProducer {
    private let query: LiveQuery
    private let feed: LiveFeed
    private let wake: () -> Void
    private let writer: LiveWriter
    private(set) var place: LivePlace
    /// The place that was asked for, if it lies ahead of the newest event.
    private let ahead: UInt64?
    /// The store that it began with; nil: there was none to be read.
    private let storeNumber: UInt64?
    private var left: Int

    private var hasBegun = false
    private var isFinished = false
    /// Everything that there is was said.
    private var isWaiting = false
    private var lastWritten: UInt64
    private var lastPulled: UInt64

    private var cursor: EventCursor?
    /// When and from where it was made, and the newest event that it knows.
    private var cursorMade: UInt64 = 0
    private var cursorFrom: UInt64 = 0
    private var cursorUpper: UInt64 = 0
    /// How far behind it was at its best.
    private var leastBehind = UInt64.max
    /// The output was filled, and was so at the feed's last look too: the client has taken nothing meanwhile.
    private var isFilled = false
    private var wasFilled = false
    /// The newest event at that look, and how many came while the client took nothing.
    private var newestAtLook: UInt64
    private var heldBack: UInt64 = 0
    /// Damage of which the client knows.
    private var told: [ClosedRange<UInt64>] = []

    init(_ query: LiveQuery, of feed: LiveFeed, wake: @escaping () -> Void) {
        self.query = query
        self.feed = feed
        self.wake = wake
        writer = LiveWriter(query.format, fields: query.fields)
        left = query.limit ?? Int.max
        let moment = feed.time.monotonicNanoseconds()
        lastWritten = moment
        lastPulled = moment
        newestAtLook = feed.newest
        var ahead: UInt64?
        let now = LivePlace(event: feed.newest, rejected: feed.rejectedNext - 1)
        switch query.start {
        case .now: place = now
        case .oldest: place = LivePlace(event: 0, rejected: 0)
        case .after(let asked):
            if asked.event > now.event { ahead = asked.event }
            // A place without a number of refused ones is of a stream without them: they begin now. 0 is before everything.
            let rejected = asked.rejected ?? (asked.event == 0 ? 0 : UInt64.max)
            place = LivePlace(
                event: min(asked.event, feed.newest), rejected: min(rejected, feed.rejectedNext - 1))
        }
        self.ahead = ahead
        storeNumber = feed.snapshot?.storeNumber
        if !query.showsRejected { place.rejected = nil }
    }

    deinit { feed.remove(self) }

    var showsRejected: Bool { query.showsRejected }

    // MARK: What the feed asks

    /// The feed has looked at the store: is there something to say? `now`: monotonic nanoseconds.
    func look(now: UInt64) {
        if now - lastPulled >= HTTPLimits.liveRestMilliseconds * 1_000_000 { dropCursor() }
        if isFilled && wasFilled && feed.newest > newestAtLook { heldBack += feed.newest - newestAtLook }
        newestAtLook = feed.newest
        wasFilled = isFilled
        guard isWaiting else { return }
        // Whoever is asked for more asks whether its token may still be used.
        let isTokenDue = now - lastPulled >= HTTPLimits.liveTokenMilliseconds * 1_000_000
        if hasEvents || hasRejected || isCommentDue(now) || isTokenDue || isOver { wake() }
    }

    /// Another store has the place of the one that it began with, where its ids may mean other events: the client comes again, and is told
    /// when it is ahead of that one.
    private var isOver: Bool { storeNumber != feed.snapshot?.storeNumber }

    private var hasEvents: Bool { query.showsAccepted && feed.newest > place.event }
    private var hasRejected: Bool { place.rejected.map { $0 + 1 < feed.rejectedNext } ?? false }
    private func isCommentDue(_ now: UInt64) -> Bool {
        now - lastWritten >= HTTPLimits.liveCommentMilliseconds * 1_000_000
    }

    // MARK: What the connection asks

    var isEndless: Bool { true }
    func finish() { isFinished = true }
    func cancel() { end() }

    private func end() {
        isFinished = true
        isWaiting = false
        cursor = nil
        feed.remove(self)
    }

    func produce(into out: inout [UInt8], room: Int) -> Production {
        let now = feed.time.monotonicNanoseconds()
        let start = out.count
        isWaiting = false
        lastPulled = now
        wasFilled = false
        defer { isFilled = out.count >= start + room }
        if isFinished || isOver {
            end()
            return .end
        }
        if !hasBegun { begin(to: &out) }
        var isUpToDate = false
        do throws(SystemError) {
            // Refused ones first: there are never many.
            let hasAllRejected = try showRejected(to: &out, full: start + room)
            isUpToDate = try showEvents(to: &out, full: start + room, now) && hasAllRejected
        } catch {
            end()
            return .failed
        }
        if out.count == start && isUpToDate && isCommentDue(now) { writer.appendComment(place, to: &out) }
        if out.count > start { lastWritten = now }
        if left == 0 {
            end()
            return .end
        }
        isWaiting = isUpToDate
        return isUpToDate ? .later : .more
    }

    private func begin(to out: inout [UInt8]) {
        hasBegun = true
        writer.appendOpening(place, to: &out)
        guard let ahead else { return }
        writer.append("reset", place, to: &out) {
            $0.append(text: "{\"after\":\(ahead),\"newest\":\(place.event)}")
        }
    }

    // MARK: Refused events

    /// Returns whether all of them were shown.
    private func showRejected(to out: inout [UInt8], full: Int) throws(SystemError) -> Bool {
        guard hasRejected, let from = place.rejected else { return true }
        var hasRoom = true
        func take(_ sample: RejectedSample) -> Bool {
            place.rejected = sample.id
            // The filters are about accepted events; but for when they begin.
            guard query.filter.timestampRange?.lowerBound ?? Int64.min <= sample.received else { return true }
            writer.append("rejected", place, to: &out) { ErrorDocument.append(sample, to: &$0) }
            left -= 1
            hasRoom = left > 0 && out.count < full
            return hasRoom
        }
        if let first = feed.freshRejected.first, first.id <= from + 1 {
            for sample in feed.freshRejected where sample.id > from {
                if !take(sample) { return false }
            }
            return !hasRejected
        }
        try feed.rejected.list(after: from, take)
        // What is gone by now is not waited for.
        if hasRoom { place.rejected = max(place.rejected ?? 0, feed.rejectedNext - 1) }
        return hasRoom
    }

    // MARK: Events

    /// Does a bounded piece of work. Returns whether all of them were shown.
    private func showEvents(to out: inout [UInt8], full: Int, _ now: UInt64) throws(SystemError) -> Bool {
        guard query.showsAccepted, left > 0, let snapshot = feed.snapshot else { return true }
        // So that it knows what was erased, sealed or dropped meanwhile.
        if now - cursorMade >= HTTPLimits.liveRestMilliseconds * 1_000_000 { dropCursor() }
        skip(snapshot, to: &out)
        if cursor == nil {
            if snapshot.lastEventID <= place.event { return true }
            var filter = query.filter
            filter.idAbove = place.event
            cursor = snapshot.cursor(filter)
            cursorUpper = snapshot.lastEventID
            cursorMade = now
            cursorFrom = place.event
        }
        guard let cursor else { return true }
        var hasRoom = out.count < full
        if !hasRoom { return false }
        let state = try cursor.step { event in
            place.event = event.id
            writer.append(event, place, to: &out)
            left -= 1
            hasRoom = left > 0 && out.count < full
            return hasRoom
        }
        tellDamage(cursor, to: &out)
        guard case .end = state else { return false }
        place.event = max(place.event, cursorUpper)
        self.cursor = nil
        return !hasEvents
    }

    /// Another cursor will go on where this one is. One that has not come anywhere yet stays: it may have looked at much without finding anything.
    private func dropCursor() {
        guard let cursor, cursor.reached > cursorFrom else { return }
        place.event = max(place.event, cursor.reached)
        self.cursor = nil
    }

    /// Skips what retention has dropped, and what a client that is too slow will not get.
    private func skip(_ snapshot: Snapshot, to out: inout [UInt8]) {
        let newest = snapshot.lastEventID
        let reached = max(place.event, cursor?.reached ?? 0)
        if reached + 1 < snapshot.firstKeptEventID {
            // A stream that begins with the oldest event misses nothing.
            if reached > 0 { tellLagged((reached + 1)...(snapshot.firstKeptEventID - 1), isThere: false, to: &out) }
            place.event = snapshot.firstKeptEventID - 1
            cursor = nil
            return
        }
        let behind = newest > reached ? newest - reached : 0
        if behind <= leastBehind {
            leastBehind = behind
            heldBack = 0
        }
        heldBack = min(heldBack, behind - leastBehind)
        guard heldBack > feed.behindMax else { return }
        tellLagged((reached + 1)...newest, isThere: true, to: &out)
        cursor = nil
        leastBehind = 0
        heldBack = 0
    }

    private func tellLagged(_ ids: ClosedRange<UInt64>, isThere: Bool, to out: inout [UInt8]) {
        place.event = ids.upperBound
        if isThere { feed.noteLagged(ids) }
        writer.append("lagged", place, to: &out) { out in
            out.append(text: "{\"first\":\(ids.lowerBound),\"last\":\(ids.upperBound)")
            JSONText.appendName("get", to: &out)
            if isThere { JSONText.appendString(query.target(of: ids), to: &out) } else { out.append(text: "null") }
            out.append(UInt8(ascii: "}"))
        }
    }

    private func tellDamage(_ cursor: EventCursor, to out: inout [UInt8]) {
        for range in cursor.damage.ranges {
            let isKnown = told.contains { $0.contains(range.lowerBound) && $0.contains(range.upperBound) }
            if isKnown { continue }
            told.removeAll { $0.overlaps(range) || $0.upperBound <= place.event }
            told.append(range)
            writer.append("damage", to: &out) {
                $0.append(text: "{\"first\":\(range.lowerBound),\"last\":\(range.upperBound)}")
            }
        }
    }
}

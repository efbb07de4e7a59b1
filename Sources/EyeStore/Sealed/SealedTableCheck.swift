// Checks what of a sealed segment is not rows, a bounded piece at a time: every block of every part, every session both ways, every text.
// The same as `checkTables`, for whoever must be able to stop. Used by `SealedComparison`, on the housekeeping thread.

/// A check under way.
final class SealedTableCheck {
    private let file: SealedFile
    private var part = 0
    private var block = 0
    private var code = 0
    private var kind = 0

    private static let blocksPerStep = 16
    private static let sessionsPerStep = 512
    private static let textsPerStep = 1024
    private static let kinds: [TextKind] = [.category, .name]

    init(_ file: SealedFile) { self.file = file }

    /// Checks a little. False: all is right.
    func step() throws(IndexFault) -> Bool {
        if part < SealedPart.allCases.count {
            try checkBlocks()
        } else if code < file.sessionCount {
            for _ in 0..<min(SealedTableCheck.sessionsPerStep, file.sessionCount - code) {
                guard try file.session(file.session(code: code).id)?.code == code else { throw .damaged }
                code += 1
            }
        } else if kind < SealedTableCheck.kinds.count {
            try checkTexts()
        } else {
            _ = try file.leaves()
            _ = try file.allGaps()
            _ = try file.erasures()
            try file.forEachCount { _ in }
            return false
        }
        return true
    }

    private func checkBlocks() throws(IndexFault) {
        let part = SealedPart.allCases[part]
        let end = min(file.blocks.count(part), block + SealedTableCheck.blocksPerStep)
        while block < end {
            _ = try file.blocks.read(file.blocks.place(part, block))
            block += 1
        }
        guard block == file.blocks.count(part) else { return }
        block = 0
        self.part += 1
    }

    private func checkTexts() throws(IndexFault) {
        let kind = SealedTableCheck.kinds[kind]
        let count = try file.textCount(kind)
        let end = min(count, block + SealedTableCheck.textsPerStep)
        while block < end {
            _ = try file.text(block, of: kind)
            block += 1
        }
        guard block == count else { return }
        block = 0
        self.kind += 1
    }
}

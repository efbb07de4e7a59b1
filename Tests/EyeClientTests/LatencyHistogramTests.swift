import Testing

@testable import EyeClient

@Suite struct LatencyHistogramTests {
    /// Every percentile is at least the true one and at most 1/128 above it, at every size.
    @Test(arguments: [1.0, 1e3, 1e6, 1e9])
    func precision(scale: Double) {
        var histogram = LatencyHistogram()
        let values = (1...1000).map { UInt64(Double($0) * scale) }
        for value in values { histogram.record(value) }
        for (share, rank) in [(0.001, 1), (0.5, 500), (0.9, 900), (0.99, 990), (0.999, 999), (1, 1000)] {
            let told = histogram.percentile(share)
            let exact = values[rank - 1]
            #expect(told >= exact && told <= exact + exact / 128, "\(share) of \(scale)")
        }
        #expect(histogram.count == 1000 && histogram.max == values[999] && histogram.min == values[0])
        #expect(abs(histogram.mean - 500.5 * scale) <= scale)
    }

    /// A bucket's top is the last value that falls into it.
    @Test func bucketsMeet() {
        let last = LatencyHistogram.index(of: LatencyHistogram.nanosecondsMax)
        for index in 0..<last {
            let top = LatencyHistogram.top(of: index)
            #expect(LatencyHistogram.index(of: top) == index && LatencyHistogram.index(of: top + 1) == index + 1)
        }
    }

    @Test func additionAndRepetition() {
        var one = LatencyHistogram()
        var two = LatencyHistogram()
        one.record(10, times: 99)
        two.record(5_000_000)
        one.add(two)
        #expect(one.count == 100 && one.percentile(0.99) == 10 && one.percentile(1) == 5_000_000)
        one.record(7, times: 0)
        #expect(one.count == 100 && one.min == 10)
        one.record(.max)
        #expect(one.max == LatencyHistogram.nanosecondsMax)
    }

    @Test func empty() {
        let histogram = LatencyHistogram()
        #expect(histogram.percentile(0.5) == 0 && histogram.mean == 0 && histogram.count == 0)
    }
}

// The ingest side's numbers in the Prometheus text format (version 0.0.4): names with units, closed label sets. Made on
// demand, on the loop that was asked.

import EyeWire

struct MetricsText {
    private(set) var bytes: [UInt8] = []

    mutating func counter(_ name: StaticString, _ help: StaticString, _ value: UInt64) {
        head(name, help, "counter")
        sample(name, value)
    }

    mutating func gauge(_ name: StaticString, _ help: StaticString, _ value: UInt64) {
        head(name, help, "gauge")
        sample(name, value)
    }

    /// One counter with a value for each code that a line can be refused by; `slow-reader` for those behind answers that were not taken.
    mutating func rejected(_ name: StaticString, _ help: StaticString, _ counts: Counts) {
        head(name, help, "counter")
        for reject in Reject.allCases
        where (reject.fate != .close || reject == .slowReader) && reject != .noIngest {
            sample(name, code: reject.code, counts.rejected[Int(reject.rawValue)])
        }
    }

    /// One counter with a value for each reason.
    mutating func ended(_ name: StaticString, _ help: StaticString, _ counts: Counts) {
        head(name, help, "counter")
        for end in ConnectionEnd.allCases { sample(name, code: end.code, counts.ended[end.rawValue]) }
    }

    private mutating func sample(_ name: StaticString, code: StaticString, _ value: UInt64) {
        bytes.append(name)
        bytes.append("{code=\"")
        bytes.append(code)
        bytes.append("\"} ")
        bytes.append(decimal: value)
        bytes.append(0x0A)
    }

    /// A histogram; `scale` divides the bounds and the sum (1e9: nanoseconds told as seconds).
    mutating func histogram(_ name: StaticString, _ help: StaticString, _ histogram: Histogram, scale: Double) {
        head(name, help, "histogram")
        var total: UInt64 = 0
        for (index, bound) in histogram.bounds.enumerated() {
            total += histogram.counts[index]
            bucket(name, "\(Double(bound) / scale)", total)
        }
        bucket(name, "+Inf", histogram.count)
        bytes.append(name)
        bytes += Array("_sum \(Double(histogram.sum) / scale)\n".utf8)
        bytes.append(name)
        bytes += Array("_count \(histogram.count)\n".utf8)
    }

    private mutating func bucket(_ name: StaticString, _ bound: String, _ count: UInt64) {
        bytes.append(name)
        bytes += Array("_bucket{le=\"\(bound)\"} \(count)\n".utf8)
    }

    private mutating func head(_ name: StaticString, _ help: StaticString, _ type: StaticString) {
        bytes.append("# HELP ")
        bytes.append(name)
        bytes.append(0x20)
        bytes.append(help)
        bytes.append("\n# TYPE ")
        bytes.append(name)
        bytes.append(0x20)
        bytes.append(type)
        bytes.append(0x0A)
    }

    private mutating func sample(_ name: StaticString, _ value: UInt64) {
        bytes.append(name)
        bytes.append(0x20)
        bytes.append(decimal: value)
        bytes.append(0x0A)
    }
}

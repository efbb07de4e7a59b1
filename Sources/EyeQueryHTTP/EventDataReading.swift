// How filters look into `data`: it is JSON. Given to every reader of the store that queries go to. Pure, any thread.

import EyeStore
import EyeWire

/// Looks into `data` that is JSON.
package struct EventDataReading: DataReading {
    package init() {}

    package func find(_ path: [UInt8], in data: UnsafeRawBufferPointer) -> DataPlace? {
        guard let value = unsafe JSON.find(path.span, in: data) else { return nil }
        switch value.kind {
        case .string:
            let field = value.field
            // In bounds: the scanner's ranges lie in the text.
            let isEscaped = unsafe data[field.range].contains(UInt8(ascii: "\\"))
            return DataPlace(kind: .string, range: field.range, isEscaped: isEscaped)
        case .number: return DataPlace(kind: .number, range: value.range, isEscaped: false)
        case .boolean, .null, .object, .array: return DataPlace(kind: .other, range: value.range, isEscaped: false)
        }
    }

    package func appendText(of place: DataPlace, in data: UnsafeRawBufferPointer, to out: inout [UInt8]) {
        let field = StringField(offset: place.range.lowerBound, count: place.range.count, escaped: place.isEscaped)
        unsafe JSON.appendUnescaped(field, of: data, to: &out)
    }
}

extension EventDataReading: DataDecomposer {
    package func leaves(
        of data: UnsafeRawBufferPointer, depthMax: Int, places: UnsafeMutableBufferPointer<UInt32>
    ) -> Int {
        unsafe JSONLeaves().leaves(of: data, depthMax: depthMax, places: places)
    }

    package func follows(
        _ text: UnsafeRawBufferPointer, _ literals: UnsafeBufferPointer<UInt32>, _ data: UnsafeRawBufferPointer,
        places: UnsafeMutableBufferPointer<UInt32>
    ) -> Bool {
        unsafe JSONLeaves().follows(text, literals, data, places: places)
    }

    package func paths(
        of data: UnsafeRawBufferPointer, depthMax: Int
    ) -> (leaves: [[UInt8]], isHidden: [Bool], objects: [[UInt8]])? {
        unsafe JSONLeaves().paths(of: data, depthMax: depthMax)
    }
}

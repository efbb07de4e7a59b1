#!/usr/bin/env bash
# Each fuzz target for $1 seconds (60), two at a time: HTTP requests, lines, JSON, log segments, sealed segments; with the address sanitizer, so
# that a read outside of a buffer is a crash. EYE_FUZZ_SEED (1) makes other inputs. What crashed is in $TMPDIR/eye-fuzz-NAME.
. "$(dirname "$0")/common.sh"
export EYE_FUZZ_SECONDS=${1:-60} ASAN_OPTIONS=detect_leaks=0 SWIFT_BACKTRACE=enable=no
swift build --build-tests --sanitize=address --scratch-path .build/address 2>&1 | tail -n 1
targets=(RequestFuzzTests/requests LineFuzzTests/events LineFuzzTests/json SegmentFuzzTests/log SegmentFuzzTests/sealed)
tests=$(swift build --sanitize=address --scratch-path .build/address --show-bin-path)/the-eyePackageTests.xctest
one() { "$tests" --testing-library swift-testing --no-parallel --filter "$1" >"$scratch/${1////-}" 2>&1; }
for ((index = 0; index < ${#targets[@]}; index += 2)); do
    pids=()
    for target in "${targets[@]:index:2}"; do
        one "$target" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
done
grep -h '^fuzz ' "$scratch"/*Tests* || true
if [ -n "${failed:-}" ]; then
    tail -n 40 "$scratch"/*Tests*
    fail "an input did what none may"
fi
[ "$(cat "$scratch"/*Tests* | grep -c '^fuzz ')" = ${#targets[@]} ] || fail "a target did not run"

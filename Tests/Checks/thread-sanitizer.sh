#!/usr/bin/env bash
# The tests with the thread sanitizer, but for those that have one thread and much to compute. There is no list of
# suppressions: what the sanitizer cannot see of Swift's library it is told by sanitizer-edges.c. Arguments go to swift test.
. "$(dirname "$0")/common.sh"
clang=$(dirname "$(readlink -f "$(command -v swift)")")/clang
[ -x "$clang" ] || clang=$(command -v clang) || skip "there is no clang beside swift"
mkdir -p .build/thread
"$clang" -O1 -fPIC -c -o .build/thread/sanitizer-edges.o $checks/sanitizer-edges.c
# The first report ends the process: a race in a service that a test has started is then a failure of that test.
export TSAN_OPTIONS="halt_on_error=1 second_deadlock_stack=1"
# shellcheck disable=SC2016 # the dollar signs belong to Swift's symbol names
swift test --sanitize=thread --scratch-path .build/thread \
    -Xlinker "$PWD/.build/thread/sanitizer-edges.o" \
    -Xlinker '--wrap=$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF' \
    -Xlinker '--wrap=$s15Synchronization12_MutexHandleV11_unlockSlowyyF' \
    -Xlinker --wrap=swift_once -Xswiftc -use-ld=lld \
    --skip '^EyeTests\.|EyeWireTests|StoreCrashTests|StoreDamageTests|StoreFaultTests|Sealed|SealingTests|QueryTests|StatsTests|SessionListTests|AnalysisTests|EyeStoreTests.ErasureTests|ErasureOnDisk|RetentionTests|RetentionPlan|ActiveSegment|BlockCache|SegmentFuzz|IDSet|PackedNumbers|TextCodec' "$@"

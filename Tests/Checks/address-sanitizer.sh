#!/usr/bin/env bash
# All tests with the address sanitizer: the unsafe leaf files, the C file, and what they are given. Arguments go to
# swift test.
. "$(dirname "$0")/common.sh"
# Leaks are not looked for: the backtracing of a crash test and the Swift runtime keep memory for life.
export ASAN_OPTIONS=detect_leaks=0
# Without the tests that start the real process: they bound its memory and what it does in a time, which hold for no
# sanitized build; all rooms are tested in this process. Nor those that compute for minutes with code that others run under it too.
swift test --sanitize=address --scratch-path .build/address --no-parallel \
    --skip '^EyeTests\.|StoreCrashTests|SessionListTests|IDSetTests|StatsTests|AnalysisTests|RetentionTests|ErasureOnDiskTests' "$@"

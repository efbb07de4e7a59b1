#!/usr/bin/env bash
# The tests that have longer variants, at full size: transcripts cut at every position over real sockets, ten times as many
# crash states of the store and kills of the real process.
. "$(dirname "$0")/common.sh"
build_release
# At full size against the command that users get.
export EYE_TEST_EXECUTABLE=$eye
export EYE_LONG_TESTS=1 EYE_STORE_STATES=20000 EYE_KILL_CYCLES=50

# suites FOLDER…: a pattern of the suites there that have a longer variant, by what their files ask for. Abuse at full size is a
# command of its own, abuse.sh: it takes half an hour and wants a quiet machine.
suites() {
    local files
    files=$(grep -rlE --include='*Tests.swift' 'TestSize\.|EYE_KILL_CYCLES' "$@")
    sed 's|.*/||; s|\.swift$||' <<<"$files" | grep -vE '^(AbuseTests|SlowClientTests|DatagramAccountTests)$' | paste -sd '|'
}

# Those that compute hold all threads for minutes; those that wait for a process have time limits. So one kind after the other.
computing=$(suites Tests/Eye?*Tests)
waiting=$(suites Tests/EyeTests)
swift test --filter "$computing"
swift test --filter "$waiting"

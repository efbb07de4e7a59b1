#!/usr/bin/env bash
# The tests' longer variants: transcripts cut at every position over real sockets, ten times as many
# crash states of the store and kills of the real process.
. "$(dirname "$0")/common.sh"
build_release
# At full size against the command that users get.
export EYE_TEST_EXECUTABLE=$eye
export EYE_LONG_TESTS=1 EYE_STORE_STATES=20000 EYE_KILL_CYCLES=50
# Abuse at full size is a command of its own, abuse.sh: it takes half an hour and wants a quiet machine.
swift test --skip 'AbuseTests|DatagramAccountTests'

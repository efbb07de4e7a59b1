#!/usr/bin/env bash
# The instruction budget: user-space instructions of the whole release ingest process per accepted event of 230 bytes by
# TCP, counted by callgrind. Two runs of different lengths; their difference leaves start and end out.
. "$(dirname "$0")/common.sh"
need nc netcat-openbsd
need valgrind valgrind

budget=$(grep -v '^#' $checks/instructions.budget)
slack_percent=10
short=50000 long=150000

build_release
instructions() { # events
    start_eye valgrind --tool=callgrind "--callgrind-out-file=$scratch/callgrind" -- --only ingest
    lines accepted "$1" >"$scratch/lines"
    send "$scratch/lines" "+BYE received=$1 accepted=$1 rejected=0 duplicate=0"
    stop_eye
    total=$(grep -oE 'refs: *[0-9,]+' "$scratch/err" | tr -dc 0-9)
    [ -n "$total" ] || { cat "$scratch/err" >&2; fail "callgrind said nothing"; }
}
instructions $short
few=$total
instructions $long
per_event=$(((total - few) / (long - short)))
limit=$((budget * (100 + slack_percent) / 100))
echo "$per_event instructions an event; budget $budget, with $slack_percent % slack $limit"
[ $per_event -le $limit ] || fail "over the budget: find out what became dearer, or raise $checks/instructions.budget with the reason"
[ $((per_event * 100)) -ge $((budget * (100 - slack_percent))) ] || echo "well under the budget: it may be lowered"

#!/usr/bin/env bash
# The system-call budget: at full rate, at most 0.01 calls for an event. strace joins the running service and counts.
. "$(dirname "$0")/common.sh"
need nc netcat-openbsd
need strace strace

events=400000
limit_per_event=0.01

build_release
start_eye -- --http 127.0.0.1:0
lines accepted $events >"$scratch/lines"
bye="+BYE received=$events accepted=$events rejected=0 duplicate=0"
send "$scratch/lines" "$bye"

: >"$scratch/strace"
strace -f -c -U calls,name -o "$scratch/calls" -p "$eye_pid" 2>"$scratch/strace" &
strace_pid=$!
is_attached() { grep -q attached "$scratch/strace" || ! kill -0 $strace_pid 2>/dev/null; }
wait_for 20 is_attached || fail "strace did not join"
if ! kill -0 $strace_pid 2>/dev/null; then
    stop_eye
    skip "strace may not join a process here: $(head -n 1 "$scratch/strace")"
fi
send "$scratch/lines" "$bye"
kill -INT $strace_pid
wait $strace_pid || true
stop_eye
head -n 8 "$scratch/calls"
calls=$(awk '$NF == "total" { print $1 }' "$scratch/calls")
[ "${calls:-0}" -gt 0 ] || fail "strace counted nothing"
per_event=$(awk -v c="$calls" -v n=$events 'BEGIN { printf "%.5f", c / n }')
echo "$calls system calls for $events events: $per_event an event (limit $limit_per_event)"
awk -v x="$per_event" -v limit=$limit_per_event 'BEGIN { exit !(x <= limit) }' || fail "too many system calls"

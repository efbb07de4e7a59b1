#!/usr/bin/env bash
# A failed fdatasync is final: the line gets no acknowledgement, the service says so in one line and ends with 74. The next
# start writes the unsynced tail anew and serves what was acknowledged.
. "$(dirname "$0")/common.sh"
need nc netcat-openbsd
need cc gcc

cc -O2 -shared -fPIC -o "$scratch/fsync-fails.so" $checks/fsync-fails.c
build_release
start_eye env "LD_PRELOAD=$scratch/fsync-fails.so" "EYE_SYNC_FAILS=$scratch/fails" -- --http off
lines accepted 1 >"$scratch/line"
send "$scratch/line" "+BYE received=1 accepted=1 rejected=0 duplicate=0"

touch "$scratch/fails"
started=$(date +%s%N)
answer=$(nc -N 127.0.0.1 "$tcp_port" <"$scratch/line" || true)
code=0
wait "$eye_pid" || code=$?
eye_pid=
milliseconds=$((($(date +%s%N) - started) / 1000000))
[ -z "$answer" ] || fail "an unsynced line was answered: $answer"
[ $code = 74 ] || fail "the service ended with $code, not 74"
[ "$(grep -c ' error ' "$scratch/err")" = 1 ] || { cat "$scratch/err" >&2; fail "expected one error line"; }
echo "ended with 74 after $milliseconds ms"

"$eye" serve --data "$scratch/data" --tcp 127.0.0.1:0 --udp off --http off >"$scratch/out" 2>"$scratch/err" </dev/null &
eye_pid=$!
is_serving() { grep -q '^The Eye' "$scratch/out" || ! kill -0 "$eye_pid" 2>/dev/null; }
wait_for 60 is_serving || fail "the service did not start again"
events=$("$eye" tail --data "$scratch/data" --once | wc -l)
[ "$events" -ge 1 ] || fail "an acknowledged event is gone"
stop_eye
echo "started again with $events events"

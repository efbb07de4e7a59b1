#!/usr/bin/env bash
# fdatasync fails on its n-th call, n = 1 … 50: no ack, no retry, exit 74 within 1 s, nothing acknowledged is lost (promise 7). Odd n:
# EIO; even n: what was not synced is gone too, as on Linux, where a failed page counts as clean. Every fifth n: ENOSPC instead.
. "$(dirname "$0")/common.sh"
calls=$(chosen 50 8)
heading "fdatasync fails on call 1 … $calls"
accounts
segment_bytes=1M
acked=0 worst=0 failed=0 at_start=0
serve --only http --tcp off --udp off || { fail "the HTTP process did not start"; finish "x"; }
reader=$server reader_port=$http
helpers=("$reader")
for ((n = 1; n <= calls; n++)); do
    report=$work/report.$n
    error=5
    ((n % 5 == 0)) && error=28
    wrap=(env LD_PRELOAD="$work/faults.so" FAULT_SYNC_AT="$n" FAULT_REPORT="$report" FAULT_ERRNO="$error" FAULT_LOSE="$((1 - n % 2))")
    serve --only ingest
    wrap=()
    if [ -n "$tcp" ]; then
        "$witness" load --tcp "$tcp" --udp "$udp" --token "$token" --run "$n" --ledger "$work/ledger.$n" --seconds 15 --pace-us 200 >"$work/load.out" &
        loader=$!
        wait "$loader" || fail "call $n: the clients failed"
    else
        at_start=$((at_start + 1))
        : >"$work/ledger.$n"
    fi
    # It has ended by itself, or will: a service that hangs here is stopped after 5 s and fails the check.
    ( trap - EXIT INT TERM; sleep 5; kill -9 "$server" ) 2>/dev/null &
    guard=$!
    ended
    over=${EPOCHREALTIME/./}
    kill -9 "$guard" 2>/dev/null
    wait "$guard" 2>/dev/null
    began=$(awk '$1 == "failed" { print $2 }' "$report" 2>/dev/null)
    if [ -z "$began" ]; then fail "call $n never came (exit $code)"; continue; fi
    failed=$((failed + 1))
    took=$(((over - began) / 1000))
    [ "$took" -gt "$worst" ] && worst=$took
    [ "$code" = 74 ] || fail "call $n: exit $code, not 74: $(tail -1 "$work/serve.log")"
    grep -q again "$report" && fail "call $n: written or synced after the failure: $(grep -c again "$report") times"
    "$witness" get "$reader_port" "/events/?limit=1" "$token" >"$work/answer" || fail "call $n: the HTTP process answered $(head -1 "$work/answer")"
    serve --only ingest || { fail "call $n: did not start again: $(tail -2 "$work/serve.log")"; break; }
    if [ -s "$work/ledger.$n" ]; then
        judge "$work/ledger.$n" || fail "call $n: $verdict"
        acked=$((acked + $(of acked)))
    fi
    stop
    [ "$code" = 0 ] || fail "call $n: the stop after it ended with $code"
done
for ((j = 1; j <= calls; j++)); do [ -s "$work/ledger.$j" ] && { judge "$work/ledger.$j" || fail "at the end, call $j: $verdict"; }; done
say "failed=$failed (of these in the start: $at_start) acknowledged=$acked exit after: worst $worst ms (bar 1,000 ms)"
# The clients are ended by the service's end, so this time includes theirs.
[ "$worst" -lt 3000 ] || fail "an exit took $worst ms"
finish "a failed fdatasync is final, and nothing acknowledged was lost"

#!/usr/bin/env bash
# SIGTERM under load; a second SIGTERM; a disk that hangs (promise 9). What had reached the service's side of the sockets when the
# signal was sent is known from SIOCOUTQ; all of it must be stored or refused by name.
. "$(dirname "$0")/common.sh"
cycles=$(chosen 100 10)
heading "SIGTERM under load, $cycles times (4 clients over TCP or the Unix socket by turns, and UDP)"
accounts
acked=0 worst=0 stored=0
drops() { awk '$1 == "Udp:" && $2 ~ /^[0-9]/ { print $6 }' /proc/net/snmp; }
for ((i = 1; i <= cycles; i++)); do
    serve || { fail "cycle $i: did not start"; break; }
    door=(--tcp "$tcp")
    ((i % 4 == 0)) && door=(--unix "$data/ingest.sock")
    before=$(drops)
    "$witness" load "${door[@]}" --udp "$udp" --token "$token" --run "$i" --ledger "$work/ledger.$i" --seconds 10 --pace-us 500 \
        --window 3000 --term "$server" --term-after-ms $((10 + $(random_below 150))) >"$work/load.out" &
    loader=$!
    helpers=("$loader")
    ended
    [ "$code" = 0 ] || fail "cycle $i: exit $code"
    wait "$loader" || fail "cycle $i: the clients failed"
    helpers=()
    took=$(awk '/stopping: storing/ { split($1, t, /[:TZ]/); a = t[2] * 3600 + t[3] * 60 + t[4] } /stopped: every/ { split($1, t, /[:TZ]/); b = t[2] * 3600 + t[3] * 60 + t[4] } END { d = b - a; if (d < 0) d += 86400; print int(d * 1000) }' "$work/serve.log")
    [ "$took" -gt "$worst" ] && worst=$took
    # The kernel's drops are counted for the machine: with any, UDP is not judged in this cycle.
    [ "$(drops)" = "$before" ] || sed -i "/^f .*$(awk '$3 == "udp" { print $2 }' "$work/ledger.$i")/d" "$work/ledger.$i"
    judge "$work/ledger.$i" || fail "cycle $i: $verdict"
    acked=$((acked + $(of acked))) stored=$((stored + $(of stored)))
done
say "ended=$((i - 1)) acknowledged=$acked stored=$stored; from the signal to the end: worst $worst ms (bar 5,000 ms)"
[ "$worst" -lt 5000 ] || fail "an end took $worst ms"

heading "a disk that hangs: SIGTERM ends it by its deadline, a second SIGTERM at once; exit is not 0"
for kind in deadline second; do
    run=$((50000 + ${#kind}))
    wrap=(env LD_PRELOAD="$work/faults.so" FAULT_HANG="$work/hang")
    rm -f "$work/hang"
    serve || fail "$kind: did not start"
    wrap=()
    "$witness" load --tcp "$tcp" --token "$token" --run "$run" --ledger "$work/ledger.$kind" --seconds 20 >"$work/load.out" &
    loader=$!
    pause_ms 200
    touch "$work/hang"
    pause_ms 100
    began=${EPOCHREALTIME/./}
    kill -TERM "$server"
    if [ "$kind" = second ]; then
        pause_ms 300
        kill -TERM "$server"
    fi
    ended
    took=$(((${EPOCHREALTIME/./} - began) / 1000))
    rm -f "$work/hang"
    wait "$loader"
    [ "$code" != 0 ] || fail "$kind: exit 0 with lines that are not stored"
    [ "$took" -lt 5500 ] || fail "$kind: $took ms"
    serve || fail "$kind: did not start again"
    judge "$work/ledger.$kind" || fail "$kind: $verdict"
    say "$kind: exit $code after $took ms; acknowledged=$(of acked) stored=$(of stored)"
    stop
done
finish "every line that had been received was stored, and the end came in time"

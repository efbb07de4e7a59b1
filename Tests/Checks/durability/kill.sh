#!/usr/bin/env bash
# kill -9 of the service at random times under four TCP clients and one UDP client: nothing acknowledged is lost.
. "$(dirname "$0")/common.sh"
cycles=$(chosen 1000 30)
heading "kill -9 under load, $cycles cycles (4 TCP clients that wait for acks, 1 UDP client)"
accounts
acked=0 stored=0 slow=0 worst=0 sum=0 again=0 early=0
for ((i = 1; i <= cycles; i++)); do
    serve || { fail "cycle $i: did not start: $(tail -3 "$work/serve.log")"; break; }
    sum=$((sum + ready_ms))
    [ "$ready_ms" -gt "$worst" ] && worst=$ready_ms
    [ "$ready_ms" -gt 1000 ] && slow=$((slow + 1))
    "$witness" load --tcp "$tcp" --udp "$udp" --token "$token" --run "$i" --ledger "$work/ledger.$i" --seconds 20 >"$work/load.out" 2>>"$work/load.err" &
    loader=$!
    helpers=("$loader")
    pause_ms $((20 + $(random_below 280)))
    kill_hard
    wait "$loader"
    case $? in
    0) ;;
    3) early=$((early + 1)) ;; # killed before the clients were there
    *) fail "cycle $i: the clients failed" ;;
    esac
    helpers=()
    # Judged by reading the files as the dead process left them, and below once more after all recoveries.
    if ((i % 4 == 0)); then
        serve || { fail "cycle $i: did not start"; break; }
        kill_hard
        again=$((again + 1))
    fi
    serve || { fail "cycle $i: did not start"; break; }
    [ "$ready_ms" -gt "$worst" ] && worst=$ready_ms
    judge "$work/ledger.$i" || fail "cycle $i: $verdict"
    acked=$((acked + $(of acked))) stored=$((stored + $(of stored)))
    kill_hard
done
# The last cycles' events, and every tenth one's, are still there after all the other lives.
serve || fail "did not start at the end"
for ((j = 1; j < i; j += cycles > 100 ? 10 : 1)); do judge "$work/ledger.$j" || fail "at the end, cycle $j: $verdict"; done
stop
[ "$code" = 0 ] || fail "the clean stop ended with $code"
say "cycles=$((i - 1)) acknowledged=$acked stored=$stored lost=0 unless said above; killed before the clients came $early times, right after a start $again times more"
say "ready after: mean $((sum / (i > 1 ? i - 1 : 1))) ms, worst $worst ms, over 1 s: $slow (bar: 1 s on an idle machine)"
[ "$worst" -lt 5000 ] || fail "a start took $worst ms"
[ "$early" -le $((cycles / 5)) ] || fail "too many cycles without load"
finish "nothing acknowledged was lost"

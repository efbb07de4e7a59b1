#!/usr/bin/env bash
# Exactly once: two `eye send --client-id` and the service are killed by turns at random moments, the disk is filled in between; every
# event is stored once, in order. Then event_id: a duplicate is answered with the first id on every transport, also after kill -9.
. "$(dirname "$0")/common.sh"
kills=$(chosen 1000 20)
heading "eye send --client-id and the service killed at random, $kills times; the disk filled in between"
is_small=no
mkdir -p "$data"
if mount -t tmpfs -o size=192m none "$data" 2>/dev/null; then
    mounted+=("$data")
    is_small=yes
else
    say "no right to mount a tmpfs: the disk is not filled"
fi
accounts
printf '%s\n' "$token" >"$work/token"
serve || { fail "did not start"; finish x; }
port=$tcp
segment_bytes=2M
lines=9000
round=0 sender_kills=0 server_kills=0 fills=0 refusals=0 events=0
senders=()
send() { # CLIENT
    "$EYE" send --tcp "127.0.0.1:$port" --token-file "$work/token" --client-id "till-$round-$1" --rate 3500 "$work/lines.$1" >"$work/send.$1" 2>&1 &
    senders[$1]=$!
    helpers=("${senders[@]}")
}
new_round() {
    round=$((round + 1))
    : >"$work/ledger.$round"
    local c
    for c in 0 1; do
        "$witness" lines "$round" "$c" "$lines" >"$work/lines.$c"
        printf 'c %s stream\ns %s %d\n' "$(session "$c")" "$(session "$c")" "$lines" >>"$work/ledger.$round"
        send "$c"
    done
}
session() { printf '%08x-%04x-4000-8000-%012x' "$round" "$1" $(($1 + 1)); }
# finish_round: no more kills; the senders come to their end and the store is compared.
finish_round() {
    local c
    for c in 0 1; do
        wait "${senders[c]}" || { send "$c"; wait "${senders[c]}" || fail "round $round: sender $c: $(tail -2 "$work/send.$c")"; }
    done
    helpers=()
    judge "$work/ledger.$round" --whole || fail "round $round: $verdict"
    events=$((events + $(of stored)))
}
new_round
for ((i = 1; i <= kills; i++)); do
    pause_ms $((5 + $(random_below 120)))
    if ((RANDOM % 2)); then
        c=$((RANDOM % 2))
        kill -9 "${senders[c]}" 2>/dev/null && sender_kills=$((sender_kills + 1))
        wait "${senders[c]}" 2>/dev/null
        send "$c"
    else
        kill_hard
        server_kills=$((server_kills + 1))
        serve --tcp "127.0.0.1:$port" || { fail "kill $i: did not start: $(tail -1 "$work/serve.log")"; break; }
    fi
    if [ $is_small = yes ] && ((i % 10 == 0)); then
        head -c 256m /dev/zero >"$data/filler" 2>/dev/null
        pause_ms $((100 + $(random_below 300)))
        rm -f "$data/filler"
        fills=$((fills + 1))
    fi
    # Both at their end: the next pair.
    if ((i % 20 == 0)); then
        finish_round
        if [ $is_small = yes ] && ((round % 20 == 0)); then
            stop
            rm -rf "$data/log" "$data/index" "$data/watermark"
            serve --tcp "127.0.0.1:$port" || { fail "did not start"; break; }
        fi
        ((i < kills)) && new_round
    fi
done
((kills % 20 != 0)) && finish_round
refusals=$(grep -c "disk full" "$work/serve.log")
say "kills: service $server_kills, senders $sender_kills; disk filled $fills times (events refused in $refusals of them); events=$events, each once and in order"

heading "event_id: the same id on every transport, and after a restart"
event='{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"twice","data":{"a":1},"timestamp":"2021-01-01 09:15:27","event_id":"11111111-2222-4333-8444-555555555555"}'
id_by() { printf 'MODE each\n%s %s\n' "$token" "$event" | "$witness" talk "$1" | awk '$1 == "+OK" && $2 == 1 { print $3 }'; }
id_by_http() {
    exec 8<>"/dev/tcp/127.0.0.1/$http"
    printf 'POST /events/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' "$token" "${#event}" "$event" >&8
    sed -n 's/.*"id":\([0-9]*\),.*/\1/p' <&8
    exec 8>&-
}
first=$(id_by "tcp:127.0.0.1:$tcp")
[ -n "$first" ] || fail "no id for the first one"
for life in "the same life" "after kill -9" "after a clean stop"; do
    for by in "tcp:127.0.0.1:$tcp" "unix:$data/ingest.sock" http; do
        if [ "$by" = http ]; then got=$(id_by_http); else got=$(id_by "$by"); fi
        [ "$got" = "$first" ] || fail "$life, $by: id ${got:-none}, not $first"
    done
    [ -n "$udp" ] && printf '%s %s' "$token" "$event" >"/dev/udp/127.0.0.1/$udp"
    # What came by UDP is judged before a stop ends.
    if [ "$life" = "the same life" ]; then kill_hard; else stop; fi
    serve || fail "did not start"
done
stop
count=$("$EYE" tail --data "$data" --once --last 10 --name twice --format json | wc -l)
[ "$count" = 1 ] || fail "$count events with that event_id"
say "id $first nine times over TCP, the Unix socket and HTTP in three lives, three datagrams more: stored $count time"
finish "once means once"

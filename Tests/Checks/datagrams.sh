#!/bin/bash
# shellcheck disable=SC2119
# Is UDP lossless at a given rate? Sends 4 M datagrams at rates that grow and says what the kernel had to drop.
#   usage: datagrams.sh LINES_PER_DATAGRAM [DATAGRAMS]   (see server.sh for EYE and FOLDER)
set -u
cd "$(dirname "$0")" || exit 1
. ./server.sh
PER=${1:-1}
COUNT=${2:-4000000}

for rate in 100000 200000 300000 400000 500000 0; do
    up
    before=$(cpu_ticks)
    lines=$((COUNT * PER))
    # A lower rate needs no minute to be judged.
    if [ $rate -gt 0 ] && [ $rate -lt 400000 ]; then lines=$((lines / 4)); fi
    limit=()
    if [ $rate -gt 0 ]; then limit=(-r $((rate * PER))); fi
    json=$("$EYE" bench --udp "$UDP" -c 2 -n $lines "${limit[@]}" --lines-per-datagram "$PER" --json)
    sent=$(field datagrams <<<"$json")
    for _ in $(seq 100); do
        received=$(metric eye_ingest_datagrams_total)
        dropped=$(metric eye_ingest_datagrams_dropped_total)
        [ $((received + dropped)) -ge "$sent" ] && break
        sleep 0.1
    done
    name="$rate datagrams/s wanted"
    [ $rate -eq 0 ] && name='as fast as possible'
    echo "$name: offered $(awk -v n="$sent" -v s="$(field seconds <<<"$json")" 'BEGIN {printf "%.0f", n / s}') datagrams/s" \
        "($(field lines_per_second <<<"$json") lines/s): sent $sent = received $received + dropped $dropped;" \
        "server CPU $((($(cpu_ticks) - before) * 10)) ms, sender $(field cpu_seconds <<<"$json") s"
    down
done

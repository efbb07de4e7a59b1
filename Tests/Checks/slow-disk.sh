#!/bin/bash
# shellcheck disable=SC2119
# A slow disk costs latency, not throughput, until the bounded queues are full; then TCP is pushed back and UDP is dropped and
# counted. Injects milliseconds into every fdatasync by slowsync.c. Prints numbers; fails only when an account is not exact.
#   usage: slow-disk.sh [LINES]          (see server.sh for EYE and FOLDER)
set -u
cd "$(dirname "$0")" || exit 1
. ./server.sh
LINES=${1:-3000000}
SHIM=$FOLDER/slowsync.so
cc -O2 -shared -fPIC -o "$SHIM" slowsync.c || exit 1

printf '%-28s %12s %10s %10s %12s %10s %8s\n' 'fdatasync' 'lines/s' 'p50 ms' 'p99 ms' 'kB/commit' 'pauses' 'RSS MB'
for round in 1 2 3; do
    for milliseconds in 0 20 200; do
        export SLOWSYNC_MS=$milliseconds
        PRELOAD=$SHIM up
        json=$("$EYE" bench --tcp "$TCP" -c 8 -n "$LINES" --acks --json)
        grep -q '"exact":true' <<<"$json" || { echo "not exact: $json"; exit 1; }
        commits=$(metric eye_store_commits_total)
        bytes=$(metric eye_store_written_bytes_total)
        printf '%-28s %12.0f %10.1f %10.1f %12.0f %10s %8.0f\n' "+$milliseconds ms, TCP, round $round" \
            "$(field lines_per_second <<<"$json")" "$(latency p50 <<<"$json" | awk '{print $1/1000}')" \
            "$(latency p99 <<<"$json" | awk '{print $1/1000}')" "$((bytes / commits / 1000))" \
            "$(metric eye_ingest_pauses_total)" "$(($(resident) / 1024))"
        down
    done
done

echo
echo 'TCP at 1,000,000 lines/s, acks: latency grows, the rate stays'
for milliseconds in 0 20 0 20; do
    export SLOWSYNC_MS=$milliseconds
    PRELOAD=$SHIM up
    json=$("$EYE" bench --tcp "$TCP" -c 8 -s 5 -r 1000000 --acks --json)
    printf '%-28s %12.0f %10.1f %10.1f %s\n' "+$milliseconds ms" "$(field lines_per_second <<<"$json")" \
        "$(latency p50 <<<"$json" | awk '{print $1/1000}')" "$(latency p99 <<<"$json" | awk '{print $1/1000}')" \
        "pauses $(metric eye_ingest_pauses_total)"
    down
    sync -f "$FOLDER"
done

echo
echo 'UDP, 6 lines a datagram, as fast as it can be sent:'
for milliseconds in 0 20 200; do
    export SLOWSYNC_MS=$milliseconds
    PRELOAD=$SHIM up
    json=$("$EYE" bench --udp "$UDP" -c 4 -n "$LINES" --lines-per-datagram 6 --json)
    sent=$(field datagrams <<<"$json")
    for _ in $(seq 100); do
        received=$(metric eye_ingest_datagrams_total)
        dropped=$(metric eye_ingest_datagrams_dropped_total)
        [ $((received + dropped)) -ge "$sent" ] && break
        sleep 0.1
    done
    echo "  +$milliseconds ms: sent $sent = received $received + dropped $dropped, $(field lines_per_second <<<"$json") lines/s offered"
    [ $((received + dropped)) -eq "$sent" ] || { echo 'not exact'; exit 1; }
    down
done

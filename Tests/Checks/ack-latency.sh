#!/bin/bash
# shellcheck disable=SC2119
# How long until a line is durable: one by one against the disk itself in the same run, and at half of full rate.
#   usage: ack-latency.sh [ROUNDS]       (see server.sh for EYE and FOLDER; FOLDER's disk is what is measured)
set -u
cd "$(dirname "$0")" || exit 1
. ./server.sh
ROUNDS=${1:-5}

echo 'one by one (bar: p50 <= 2 x disk p50):'
for _ in $(seq "$ROUNDS"); do
    up
    "$EYE" bench --tcp "$TCP" --one-by-one -n 1000 --compare-disk "$FOLDER" | grep -E 'durable after|disk alone|p50 durable' | sed 's/^ *//' | paste -sd'|'
    down
done
echo
echo 'at half of full rate, 8 connections (bar: p99 <= 20 ms):'
for _ in $(seq "$ROUNDS"); do
    up
    # Long enough for the disk to be the limit: a burst into the page cache is no rate that can be held.
    full=$("$EYE" bench --tcp "$TCP" -c 8 -s 10 --json | field lines_per_second)
    down
    sync -f "$FOLDER"
    sleep 5
    up
    json=$("$EYE" bench --tcp "$TCP" -c 8 -s 5 -r "$(printf '%.0f' "$(awk "BEGIN {print $full / 2}")")" --acks --json)
    echo "full $full lines/s; at half: $(field lines_per_second <<<"$json") lines/s, p50 $(latency p50 <<<"$json") us," \
        "p99 $(latency p99 <<<"$json") us, max $(latency max <<<"$json") us"
    down
done

#!/bin/bash
# shellcheck disable=SC2119
# Resident memory (VmRSS): idle, at full rate (the highest of many looks), with 10,000 idle connections.
#   usage: memory.sh                     (see server.sh for EYE and FOLDER)
set -u
cd "$(dirname "$0")" || exit 1
. ./server.sh
ulimit -n 20000 2>/dev/null || true

up
sleep 2
echo "idle: $(resident) kB"
"$EYE" bench --tcp "$TCP" -c 8 -n 6000000 --json >"$FOLDER/json" &
bench=$!
highest=0
while kill -0 $bench 2>/dev/null; do
    now=$(resident)
    [ "$now" -gt "$highest" ] && highest=$now
    sleep 0.05
done
echo "full rate, 8 connections: at most $highest kB ($(field lines_per_second <"$FOLDER/json") lines/s); afterwards $(resident) kB"
down

up
"$EYE" bench --tcp "$TCP" -c 10000 -s 8 -r 1 --json >"$FOLDER/json" &
bench=$!
for _ in $(seq 100); do
    [ "$(metric eye_ingest_connections)" -ge 10000 ] && break
    sleep 0.1
done
echo "10,000 idle connections: $(resident) kB ($(metric eye_ingest_connections) connections)"
wait $bench

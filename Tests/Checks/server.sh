# shellcheck shell=bash disable=SC2034
# Sourced by the checks: starts and stops an ingest service in a folder of its own on free ports.
#   EYE     the command (default: the release build)
#   FOLDER  where data folders are made; on the disk that is to be measured (default: a new one under TMPDIR)
# `up [serve options]` sets P (process), TCP, UDP, EYE_TOKEN; `down` stops it and removes its data.

EYE=${EYE:-$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)/.build/release/eye}
OWN_FOLDER=
if [ -z "${FOLDER:-}" ]; then
    FOLDER=$(mktemp -d)
    OWN_FOLDER=1
fi
P=

up() {
    rm -rf "$FOLDER/data"
    env ${PRELOAD:+LD_PRELOAD="$PRELOAD"} "$EYE" serve --only ingest --data "$FOLDER/data" --tcp 127.0.0.1:0 \
        --udp 127.0.0.1:0 "$@" >"$FOLDER/out.txt" 2>"$FOLDER/err.txt" &
    P=$!
    for _ in $(seq 200); do
        grep -q 'Try it' "$FOLDER/out.txt" && break
        kill -0 $P || { cat "$FOLDER/err.txt"; exit 1; }
        sleep 0.05
    done
    TCP=$(grep -oE 'TCP [^ ]+' "$FOLDER/out.txt" | cut -d' ' -f2)
    UDP=$(grep -oE 'UDP [^ ]+' "$FOLDER/out.txt" | cut -d' ' -f2)
    EYE_TOKEN=$(grep -oE '[0-9a-f]{40}' "$FOLDER/out.txt" | head -1)
    export EYE_TOKEN
}

down() {
    [ -n "$P" ] || return 0
    kill "$P" && wait "$P" 2>/dev/null
    P=
    rm -rf "$FOLDER/data"
}

finish() {
    down
    if [ -n "$OWN_FOLDER" ]; then rm -rf "$FOLDER"; fi
}
trap finish EXIT

# metric NAME: its value now, by METRICS of the control socket.
metric() { printf 'METRICS\n' | nc -NU "$FOLDER/data/control.sock" | awk -v name="$1" '$1 == name {print $2}'; }
# field NAME: a number of the JSON object on stdin.
field() { grep -oE "\"$1\":[0-9.]+" | head -1 | cut -d: -f2; }
# latency NAME: the same inside latency_us.
latency() { grep -oE '"latency_us":\{[^}]*\}' | field "$1"; }
resident() { awk '/VmRSS/ {print $2}' "/proc/$P/status"; }
cpu_ticks() { sed 's/.*) //' "/proc/$P/stat" | awk '{print $12 + $13}'; }

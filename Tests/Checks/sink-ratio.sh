#!/bin/bash
# shellcheck disable=SC2119
# Events a second against a program that understands nothing and only writes and syncs the same bytes: sink and eye in turn under the
# same sender, five times each; prints every ratio and their median, and the service's CPU per million events.
#   usage: sink-ratio.sh [LINES]         (see server.sh for EYE and FOLDER)
# TOOLS is the folder with blast.c and sink.c, VISITS an NDJSON file of real events; without them it is skipped.
set -u
cd "$(dirname "$0")" || exit 1
TOOLS=${TOOLS:-../../../shared/tools}
VISITS=${VISITS:-../../../shared/data/web_visits.ndjson}
for file in "$TOOLS/blast.c" "$TOOLS/sink.c" "$VISITS"; do
    [ -e "$file" ] || { echo "there is no $file"; exit 77; }
done
. ./server.sh
LINES=${1:-4000000}
cc -O2 -pthread -o "$FOLDER/blast" "$TOOLS/blast.c" && cc -O2 -o "$FOLDER/sink" "$TOOLS/sink.c" || exit 1

for input in synthetic web_visits; do
    from=()
    [ $input = web_visits ] && from=("file=$VISITS")
    for connections in 1 8; do
        ratios=()
        for _ in 1 2 3 4 5; do
            "$FOLDER/sink" 18127 "$FOLDER/sunk" >"$FOLDER/sink.json" &
            sleep 0.2
            "$FOLDER/blast" tcp 127.0.0.1 18127 token=0123456789012345678901234567890123456789 n="$LINES" conns=$connections "${from[@]}" >/dev/null
            wait $!
            rm -f "$FOLDER/sunk"
            # The other one's dirty pages are not this one's burden.
            sync -f "$FOLDER"
            sink=$(field eps <"$FOLDER/sink.json")
            up
            before=$(cpu_ticks)
            "$FOLDER/blast" tcp 127.0.0.1 "${TCP##*:}" token="$EYE_TOKEN" n="$LINES" conns=$connections "${from[@]}" >"$FOLDER/eye.txt"
            cpu=$((($(cpu_ticks) - before) * 10))
            eye=$(field eps <"$FOLDER/eye.txt")
            accepted=$(grep -oE 'accepted=[0-9]+' "$FOLDER/eye.txt" | cut -d= -f2 | paste -sd+ | bc)
            down
            sync -f "$FOLDER"
            [ "$accepted" = "$LINES" ] || { echo "accepted $accepted of $LINES"; cat "$FOLDER/eye.txt"; exit 1; }
            ratio=$(awk -v e="$eye" -v s="$sink" 'BEGIN { printf "%.2f", e / s }')
            ratios+=("$ratio")
            awk -v i=$input -v c=$connections -v s="$sink" -v e="$eye" -v r="$ratio" -v u="$cpu" -v n="$LINES" 'BEGIN {
                printf "%s, %d connections: sink %.0f, eye %.0f events/s, ratio %s, %.2f s of CPU per million\n", i, c, s, e, r, u / n * 1000 }'
        done
        echo "  median $(printf '%s\n' "${ratios[@]}" | sort -n | sed -n 3p)"
    done
done

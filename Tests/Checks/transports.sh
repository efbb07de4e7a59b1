#!/bin/bash
# shellcheck disable=SC2119
# TCP and the Unix stream socket in turn: the ratio of their rates, and the server's CPU per million lines.
#   usage: transports.sh [LINES]         (see server.sh for EYE and FOLDER)
set -u
cd "$(dirname "$0")" || exit 1
. ./server.sh
LINES=${1:-4000000}

for connections in 1 8; do
    for _ in 1 2 3 4 5; do
        rates=()
        cpus=()
        for transport in tcp unix; do
            up
            where=$TCP
            [ $transport = unix ] && where=$FOLDER/data/ingest.sock
            before=$(cpu_ticks)
            rates+=("$("$EYE" bench --$transport "$where" -c $connections -n "$LINES" --json | field lines_per_second)")
            cpus+=($((($(cpu_ticks) - before) * 10)))
            down
            sync -f "$FOLDER"
        done
        awk -v c=$connections -v t="${rates[0]}" -v u="${rates[1]}" -v n="$LINES" -v ct="${cpus[0]}" -v cu="${cpus[1]}" 'BEGIN {
            printf "%d connections: TCP %.0f, Unix %.0f lines/s, ratio %.2f; server CPU per million %.2f and %.2f s\n", c, t, u, u / t, ct / n * 1000, cu / n * 1000 }'
    done
done

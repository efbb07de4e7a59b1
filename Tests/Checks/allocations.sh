#!/usr/bin/env bash
# No allocation for a line, accepted or rejected: a malloc counter is preloaded into the real release `eye serve`; after a
# warm-up, N and then 2N lines are sent. What 2N cost more than N is what the lines cost, not connections and commits.
. "$(dirname "$0")/common.sh"
need nc netcat-openbsd
need cc gcc

lines_each=400000
# One allocation for every fiftieth line would be found. What is left is not a line's: work by the clock (account looks, samples
# of rejected lines), a new batch when the disk is behind, the index of a segment that is
# closed (up to some 2,000).
limit_per_line=0.02

cc -O2 -shared -fPIC -o "$scratch/malloc-count.so" $checks/malloc-count.c
build_release
start_eye env "LD_PRELOAD=$scratch/malloc-count.so" "EYE_ALLOCATIONS=$scratch/count" -- --http 127.0.0.1:0
allocations() { od -An -t u8 "$scratch/count" | tr -d ' '; }

bye() { # kind, count
    if [ "$1" = accepted ]; then
        echo "+BYE received=$2 accepted=$2 rejected=0 duplicate=0"
    else
        echo "+BYE received=$2 accepted=0 rejected=$2 duplicate=0"
    fi
}

status=0
# Refused lines first: accepted ones leave segments behind that are sealed for some seconds more.
for kind in rejected accepted; do
    lines "$kind" $lines_each >"$scratch/lines"
    cat "$scratch/lines" "$scratch/lines" >"$scratch/lines2"
    # Buffers grow to their size, indexes of the first segments are built.
    for _ in 1 2 3; do send "$scratch/lines2" "$(bye $kind $((2 * lines_each)))"; done
    before=$(allocations)
    send "$scratch/lines" "$(bye $kind $lines_each)"
    between=$(allocations)
    send "$scratch/lines2" "$(bye $kind $((2 * lines_each)))"
    after=$(allocations)
    [ "$before" -gt 1000 ] || fail "the counter counts nothing"
    once=$((between - before)) twice=$((after - between))
    per_line=$(awk -v a=$once -v b=$twice -v n=$lines_each 'BEGIN { printf "%.5f", (b - a) / n }')
    echo "$kind: $once allocations for $lines_each lines, $twice for $((2 * lines_each)): $per_line more per line (limit $limit_per_line)"
    awk -v x="$per_line" -v limit=$limit_per_line 'BEGIN { exit !(x <= limit) }' || status=1
    # A cost that both runs share would not show in the difference.
    awk -v b=$twice -v n=$((2 * lines_each)) -v limit=$limit_per_line 'BEGIN { exit !(b / n <= limit * 2) }' || status=1
done
stop_eye
[ $status = 0 ] || fail "lines cost allocations"

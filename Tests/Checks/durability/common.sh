# shellcheck shell=bash disable=SC2034 # variables are for the scripts that source this
# What every durability check shares: where the binary is, how the service is started and ended, how the ledger is judged.
# Sourced by the scripts beside it. EYE=/path/to/eye chooses the binary (default: the release build, else the debug build).
# No polling loops: the service's own first words say when it is ready, `wait` says when it ended.

set -u
# The service takes its settings from EYE_*: what stands in our own environment shall not change a check.
while IFS= read -r name; do unset "$name"; done < <(compgen -e | grep '^EYE_')
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
if [ -z "${EYE:-}" ]; then
    for EYE in "$root/.build/release/eye" "$root/.build/debug/eye"; do [ -x "$EYE" ] && break; done
fi
[ -x "$EYE" ] || { echo "SKIP: no binary at $EYE (swift build -c release, or EYE=/path/to/eye)"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/eye-durability.XXXXXX")
data=$work/data
is_ci=no
count_wanted=
for word in "$@"; do
    case $word in
    --ci) is_ci=yes ;;
    [0-9]*) count_wanted=$word ;;
    *) echo "usage: $0 [--ci] [COUNT]"; exit 2 ;;
    esac
done
failures=0
server=
mounted=()
helpers=()

heading() { printf '== %s\n' "$*"; }
say() { printf '   %s\n' "$*"; }
fail() {
    printf '   FAIL: %s\n' "$*"
    failures=$((failures + 1))
}
skip() {
    printf 'SKIP: %s\n' "$*"
    exit 77
}
# chosen FULL CI: how many times.
chosen() { if [ -n "$count_wanted" ]; then echo "$count_wanted"; elif [ "$is_ci" = yes ]; then echo "$2"; else echo "$1"; fi; }
main=$BASHPID
clean_up() {
    local at
    # A subshell that a signal reached must not clean up for everybody.
    [ "$BASHPID" = "$main" ] || return
    for at in "${helpers[@]}" $server; do kill -9 "$at" 2>/dev/null; done
    wait 2>/dev/null
    for ((at = ${#mounted[@]} - 1; at >= 0; at--)); do umount "${mounted[at]}" 2>/dev/null; [ -n "${loop:-}" ] && losetup -d "$loop" 2>/dev/null; done
    if [ "$failures" -gt 0 ]; then echo "   kept for looking at: $work"; else rm -rf "$work"; fi
}
trap clean_up EXIT
trap 'exit 130' INT TERM
finish() {
    if [ "$failures" -gt 0 ]; then
        echo "FAIL: $1"
        exit 1
    fi
    echo "PASS: $1"
    exit 0
}

cc=${CC:-cc}
command -v "$cc" >/dev/null || cc=clang
command -v "$cc" >/dev/null || skip "no C compiler for the witness"
"$cc" -O2 -std=c11 -pthread -o "$work/witness" "$here/witness.c" || exit 1
"$cc" -O2 -shared -fPIC -o "$work/faults.so" "$here/faults.c" -ldl || exit 1
witness=$work/witness

# accounts: a token with all scopes, before anything is served. Sets $token.
accounts() {
    mkdir -p "$data"
    token=$("$EYE" token add witness --scope ingest,read --data "$data" 2>/dev/null) && return
    # There is no accounts file yet: a first start makes it.
    serve --only ingest --tcp off --udp off || exit 1
    stop
    token=$("$EYE" token add witness --scope ingest,read --data "$data") || exit 1
}
# serve OPTIONS: starts the service (with $wrap before it), waits for its first words; sets $server, $tcp, $udp, $http, $ready_ms.
wrap=()
segment_bytes=8M
min_free=1M
serve() {
    local line fifo=$work/fifo began=$EPOCHREALTIME greeted=
    tcp='' udp='' http=''
    # A new one each time: the last life's words must not be taken for this one's.
    rm -f "$fifo" && mkfifo "$fifo"
    "${wrap[@]}" "$EYE" serve --data "$data" --segment-bytes "$segment_bytes" --min-free-bytes "$min_free" \
        --tcp 127.0.0.1:0 --udp 127.0.0.1:0 --http 127.0.0.1:0 "$@" >"$fifo" 2>>"$work/serve.log" &
    server=$!
    exec 9<"$fifo"
    while read -r -t 20 -u 9 line; do
        case $line in
        "The Eye "*) greeted=yes ;;
        *" TCP "*) tcp=${line#* TCP }; tcp=${tcp%% *}; tcp=${tcp##*:} ;;&
        *" UDP "*) udp=${line#* UDP }; udp=${udp%% *}; udp=${udp##*:} ;;&
        *queries*http://*) http=${line##*:}; http=${http%/} ;;
        # The first blank line stands behind first credentials, if there are any.
        '') [ -n "$greeted" ] && break ;;
        esac
    done
    exec 9<&-
    ready_ms=$(((${EPOCHREALTIME/./} - ${began/./}) / 1000))
    [ -n "$tcp$udp$http" ] || [[ $* == *"--tcp off"* ]]
}
# ended: waits for the service; sets $code.
ended() {
    code=127
    [ -n "$server" ] && wait "$server" 2>/dev/null
    code=$?
    server=
}
stop() {
    kill -TERM "$server"
    ended
}
kill_hard() {
    kill -9 "$server"
    ended
}
# judge LEDGER [--whole]: compares the store with what was acknowledged; sets $verdict and its words as variables.
judge() {
    local ledger=$1 session
    shift
    verdict=$(
        awk '$1 == "c" && !seen[$2]++ { print $2 }' "$ledger" | while read -r session; do
            "$EYE" tail --data "$data" --once --last 10000 --session "$session" --format json </dev/null
        done 2>"$work/tail.err" | "$witness" judge "$ledger" "$@"
    )
    local is_bad=$?
    [ -s "$work/tail.err" ] && { say "eye tail says: $(head -c 300 "$work/tail.err")"; is_bad=1; }
    return $is_bad
}
# of NAME: that figure of the last verdict.
of() { sed -n "s/.*\b$1=\([0-9]*\).*/\1/p" <<<"$verdict" | tail -1; }
random_below() { echo $(((RANDOM << 15 | RANDOM) % $1)); }
pause_ms() { local ms=$1; sleep "$((ms / 1000)).$(printf %03d $((ms % 1000)))"; }

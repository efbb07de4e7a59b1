#!/usr/bin/env bash
# A full disk (promise 6): a small tmpfs filled and freed; one that a burst fills and sealing drains; EFBIG; a file system that turns read-only; short and interrupted writes.
# Refused lines are never stored, stored ones never torn, queries go on, and ingest goes on within 1 s after there is room.
. "$(dirname "$0")/common.sh"
rounds=$(chosen 20 3)
run=0
acked=0 refused=0
# load_on SECONDS: clients in the background, $loader.
load_on() {
    run=$((run + 1))
    ledger=$work/ledger.$run
    "$witness" load --tcp "$tcp" --token "$token" --run "$run" --ledger "$ledger" --seconds "$1" --pace-us 20000 --progress >"$work/load.out" &
    loader=$!
    helpers=("$loader")
}
check_load() {
    wait "$loader" || fail "$1: the clients failed"
    helpers=()
    judge "$ledger" || fail "$1: $verdict"
    acked=$((acked + $(of acked)))
    local more codes
    more=$(awk '$1 == "e" { n += $4 } END { print n + 0 }' "$ledger")
    codes=$(awk '$1 == "e" { print $3 }' "$ledger" | sort -u | tr '\n' ' ')
    refused=$((refused + more))
    [ -z "$codes" ] || [ "$codes" = "storage-full " ] || fail "$1: refused with $codes"
    last_refused=$more
}
query() { "$witness" get "$http" "/events/?limit=1" "$token" >"$work/answer" || fail "$1: a query answered $(head -1 "$work/answer")"; }
# await_log WORDS LINE [SECONDS]: blocks until the log has them from that line on; up to 5 s.
await_log() { timeout "${3:-5}" tail -n +"$2" -F "$work/serve.log" 2>/dev/null | grep -q -m1 "$1"; }

heading "tmpfs of 16 MiB filled and freed $rounds times"
if mkdir -p "$data" && mount -t tmpfs -o size=16m none "$data" 2>/dev/null; then
    mounted+=("$data")
    accounts
    min_free=1M
    segment_bytes=1M
    serve || fail "did not start"
    worst=0 starts=0
    for ((i = 1; i <= rounds; i++)); do
        load_on 3
        pause_ms $((100 + $(random_below 200)))
        from=$(($(wc -l <"$work/serve.log") + 1))
        head -c 32m /dev/zero >"$data/filler" 2>/dev/null
        await_log "disk full" "$from" || fail "round $i: nothing was refused"
        query "round $i, full"
        pause_ms 200
        if ((i % 4 == 2)); then
            # Killed and started with no room at all.
            kill_hard
            serve || fail "round $i: did not start on a full disk: $(tail -1 "$work/serve.log")"
            query "round $i, started full"
            wait "$loader"
            load_on 3
            pause_ms 300
            from=$(($(wc -l <"$work/serve.log")))
            starts=$((starts + 1))
        fi
        rm "$data/filler"
        freed=${EPOCHREALTIME/./}
        await_log "room again" "$from" || fail "round $i: ingest did not go on"
        took=$(((${EPOCHREALTIME/./} - freed) / 1000))
        [ "$took" -gt "$worst" ] && worst=$took
        kill -TERM "$loader"
        check_load "round $i"
        [ "$last_refused" -gt 0 ] || fail "round $i: no line was answered storage-full"
        query "round $i, freed"
        # The store itself must not fill the little disk: what was judged makes room.
        if ((i % 5 == 0)); then
            stop
            [ "$code" = 0 ] || fail "round $i: the stop ended with $code"
            compgen -G "$data/log/*.torn" >/dev/null && fail "round $i: a torn frame was left"
            rm -rf "$data/log" "$data/index" "$data/watermark"
            serve || fail "round $i: did not start"
        fi
    done
    stop
    [ "$code" = 0 ] || fail "the stop ended with $code"
    compgen -G "$data/log/*.torn" >/dev/null && fail "a torn frame was left"
    say "rounds=$((i - 1)) acknowledged=$acked storage-full=$refused; started with a full disk $starts times; storing again after room came back: worst $worst ms (bar 1,000 ms)"
    [ "$worst" -lt 2000 ] || fail "it took $worst ms"
    umount "$data"
    mounted=()
else
    say "SKIP: no right to mount a tmpfs"
fi
rm -rf "$data"
mkdir -p "$data"

heading "a burst fills a tmpfs of 48 MiB to the floor; nobody makes room but sealing"
if mount -t tmpfs -o size=48m none "$data" 2>/dev/null; then
    mounted+=("$data")
    accounts
    min_free=8M
    segment_bytes=1M
    serve || fail "burst: did not start"
    from=$(($(wc -l <"$work/serve.log") + 1))
    load_on 60
    event='{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"burst","name":"n","data":{"path":"/a/longer/path/of/some/page","n":12345},"timestamp":"2021-01-01T00:00:00Z"}'
    yes "$event" | head -n 400000 | "$EYE" send --tcp "127.0.0.1:$tcp" --token "$token" >"$work/burst.out" 2>&1
    await_log "disk full" "$from" || fail "burst: nothing was refused: $(tail -1 "$work/burst.out")"
    await_log "room again" "$from" 60 || fail "burst: sealing made no room"
    kill -TERM "$loader"
    check_load burst
    query burst
    stop
    [ "$code" = 0 ] || fail "burst: the stop ended with $code"
    "$EYE" verify --data "$data" >"$work/verify.out" || fail "burst: $(tail -1 "$work/verify.out")"
    compgen -G "$data/sealed/*.seg" >/dev/null || fail "burst: nothing was sealed"
    say "$(head -1 "$work/verify.out" | cut -d, -f 1,3); clients beside it: $verdict"
    umount "$data"
    mounted=()
else
    say "SKIP: no right to mount a tmpfs"
fi
min_free=1M
rm -rf "$data"
mkdir -p "$data"

heading "EFBIG: the process may write files of at most 700 KiB, then is told so no more"
accounts
segment_bytes=64M
serve || fail "EFBIG: did not start"
from=$(($(wc -l <"$work/serve.log") + 1))
prlimit --pid "$server" --fsize=700000:unlimited || fail "prlimit"
load_on 6
await_log "disk full" "$from" || fail "EFBIG: nothing was refused"
query "EFBIG"
prlimit --pid "$server" --fsize=unlimited:unlimited
freed=${EPOCHREALTIME/./}
await_log "room again" "$from" || fail "EFBIG: ingest did not go on"
took=$(((${EPOCHREALTIME/./} - freed) / 1000))
kill -TERM "$loader"
check_load EFBIG
[ "$last_refused" -gt 0 ] || fail "EFBIG: no line was answered storage-full"
say "acknowledged=$(of acked) storage-full=$last_refused; storing again after $took ms"
[ "$took" -lt 2000 ] || fail "EFBIG: $took ms"
stop
[ "$code" = 0 ] || fail "EFBIG: the stop ended with $code"
serve || fail "EFBIG: did not start again"
judge "$ledger" || fail "EFBIG, after a start: $verdict"
stop
compgen -G "$data/log/*.torn" >/dev/null && fail "EFBIG: a torn frame was left"

heading "the file system turned read-only by itself (EROFS; the kernel refuses to remount it while the log is open): ingest ends with 74"
wrap=(env LD_PRELOAD="$work/faults.so" FAULT_READONLY="$work/readonly")
serve || fail "EROFS: did not start"
wrap=()
load_on 3
pause_ms 300
touch "$work/readonly"
ended
rm "$work/readonly"
[ "$code" = 74 ] || fail "EROFS: exit $code, not 74"
serve || fail "EROFS: did not start again"
check_load EROFS
say "$verdict"
stop

heading "every 7th write is interrupted (EINTR), every 7th is short"
wrap=(env LD_PRELOAD="$work/faults.so" FAULT_WRITES=1)
segment_bytes=1M
serve || fail "short writes: did not start"
load_on 2
sleep 1.5
kill -TERM "$loader"
check_load "short writes"
[ "$last_refused" = 0 ] || fail "short writes: $last_refused lines were refused"
kill_hard
serve || fail "short writes: did not start again"
judge "$ledger" || fail "short writes, after a start: $verdict"
say "$verdict"
stop
finish "a full disk refuses by name, loses nothing and tears nothing"

#!/usr/bin/env bash
# The disk says only at fdatasync that it is full: ext4 in a file on a full tmpfs, through a loop device (promise 7). As EIO: no
# ack, exit 74; a separate HTTP process goes on; after there is room and the file system was mounted again nothing acknowledged is lost.
. "$(dirname "$0")/common.sh"
rounds=$(chosen 5 1)
heading "ENOSPC that only shows at fdatasync, $rounds times"
command -v mkfs.ext4 >/dev/null || skip "no mkfs.ext4"
mkdir -p "$work/small" "$data"
mount -t tmpfs -o size=24m none "$work/small" 2>/dev/null || skip "no right to mount"
mounted+=("$work/small")
truncate -s 64m "$work/small/image"
mkfs.ext4 -q -F -b 4096 -E lazy_itable_init=1,nodiscard -J size=4 "$work/small/image" || fail "mkfs.ext4"
loop=$(losetup --show -f "$work/small/image" 2>/dev/null) || skip "no loop device"
# One page a request: of a longer one that tmpfs takes in part, Linux's loop device says that it was written (seen with 6.18: 64 KiB
# to a tmpfs with 24 KiB left, no error, 40 KiB missing). The checks are of a disk that honours flush.
echo 4 >"/sys/block/${loop##*/}/queue/max_sectors_kb" || skip "the loop device cannot be told to write page by page"
mount "$loop" "$data" 2>/dev/null || skip "the loop device cannot be mounted"
mounted+=("$data")
segment_bytes=64M
accounts
worst=0
for ((i = 1; i <= rounds; i++)); do
    serve --only http --tcp off --udp off || { fail "round $i: the HTTP process did not start"; break; }
    reader=$server reader_port=$http
    helpers=("$reader")
    serve --only ingest || { fail "round $i: did not start: $(tail -2 "$work/serve.log")"; break; }
    "$witness" load --tcp "$tcp" --token "$token" --run "$i" --ledger "$work/ledger.$i" --seconds 20 --pace-us 4000 >"$work/load.out" &
    loader=$!
    helpers=("$reader" "$loader")
    pause_ms 200
    head -c 64m /dev/zero >"$work/small/filler" 2>/dev/null
    began=${EPOCHREALTIME/./}
    ( trap - EXIT INT TERM; sleep 15; kill -9 "$server" ) 2>/dev/null &
    guard=$!
    ended
    took=$(((${EPOCHREALTIME/./} - began) / 1000))
    kill -9 "$guard" 2>/dev/null
    wait "$guard" 2>/dev/null
    [ "$took" -gt "$worst" ] && worst=$took
    [ "$code" = 74 ] || fail "round $i: exit $code, not 74: $(tail -1 "$work/serve.log")"
    wait "$loader"
    "$witness" get "$reader_port" "/events/?limit=1" "$token" >"$work/answer" || fail "round $i: the HTTP process answered $(head -1 "$work/answer")"
    kill -TERM "$reader"
    wait "$reader"
    helpers=()
    umount "$data"
    mounted=("$work/small")
    rm -f "$work/small/filler"
    e2fsck -fp "$loop" >/dev/null 2>&1
    mount "$loop" "$data" || { fail "round $i: cannot mount again"; break; }
    mounted+=("$data")
    serve --only ingest || { fail "round $i: did not start again: $(tail -2 "$work/serve.log")"; break; }
    judge "$work/ledger.$i" || fail "round $i: $verdict"
    say "round $i: exit 74 $took ms after the disk was full; $verdict"
    stop
    # Room for the next round.
    rm -rf "$data/log" "$data/index" "$data/watermark"
    fstrim "$data" 2>/dev/null
done
finish "a disk that is full only at fdatasync ends ingest, not the queries, and loses nothing acknowledged"

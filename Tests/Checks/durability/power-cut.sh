#!/usr/bin/env bash
# Power cuts: the service in User-Mode Linux on ext4 in an image file, the kernel killed with SIGKILL, half of the times at the moment
# a new segment appears. Acknowledgements are written outside (hostfs, O_SYNC). The next boot starts the service and compares.
. "$(dirname "$0")/common.sh"
cycles=$(chosen 50 2)
heading "power cut in User-Mode Linux, $cycles times"
uml=$(command -v linux.uml || command -v linux) || skip "no User-Mode Linux (apt-get install user-mode-linux)"
command -v mkfs.ext4 >/dev/null || skip "no mkfs.ext4"
export PATH=$PATH:/usr/sbin:/sbin
[ "$(id -u)" = 0 ] || say "not root: the kernel inside sees the host's files as this user"
image=$work/image
truncate -s 512m "$image"
mkfs.ext4 -q -F "$image" || { fail "mkfs.ext4"; finish x; }
accounts
cp "$EYE" "$work/eye"
printf '%s\n' "$token" >"$work/token"
# What runs inside as the first process. Arguments come in a file: the kernel's command line is short.
cat >"$work/inside.sh" <<'INSIDE'
#!/bin/bash
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
work=${0%/*}
mount -t proc none /proc
mount -t tmpfs none /tmp
mkdir /tmp/out /tmp/disk
mount -t hostfs none /tmp/out -o "$work" || exit 1
cd /tmp/out || exit 1
read -r cycle kind <job
ip link set lo up 2>/dev/null || ifconfig lo up
end() { sync; echo "$1" >"end.$cycle"; sync; mount -o remount,ro / 2>/dev/null; echo o >/proc/sysrq-trigger; sleep 100; }
mount -t ext4 /dev/ubda /tmp/disk || end "cannot mount"
mkdir -p /tmp/disk/data
[ -e /tmp/disk/data/accounts ] || { cp data/accounts /tmp/disk/data/; sync; }
mkfifo /tmp/words
began=$EPOCHREALTIME
./eye serve --data /tmp/disk/data --segment-bytes 1M --min-free-bytes 1M --tcp 127.0.0.1:8127 --udp off --http off >/tmp/words 2>"serve.log.$cycle" &
server=$!
exec 9</tmp/words
while read -r -t 30 -u 9 line; do [ -z "$line" ] && { ready=yes; break; }; done
[ -n "$ready" ] || end "did not start: $(tail -1 "serve.log.$cycle")"
echo $(((${EPOCHREALTIME/./} - ${began/./}) / 1000)) >"ready.$cycle"
previous=$((cycle - 1))
judge() {
    for session in $(awk '$1 == "c" { print $2 }' "ledger.$1"); do
        ./eye tail --data /tmp/disk/data --once --last 10000 --session "$session" --format json </dev/null
    done | ./witness judge "ledger.$1" >"verdict.$1$2" || echo BAD >>"verdict.$1$2"
}
[ -e "ledger.$previous" ] && judge "$previous"
if [ "$kind" = last ]; then
    for ((i = 1; i < cycle; i++)); do judge "$i" .end; done
    kill -TERM "$server"
    wait "$server"
    end "stopped $?"
fi
mark=()
[ "$kind" = segment ] && mark=(--mark-new-segment /tmp/disk/data/log)
exec ./witness load --tcp 8127 --token "$(cat token)" --run "$cycle" --ledger "ledger.$cycle" --synced --seconds 60 --pace-us 1000 "${mark[@]}"
INSIDE
chmod +x "$work/inside.sh"
boot() {
    echo "$1 $2" >"$work/job"
    setsid "$uml" mem=192M "ubd0=$image" root=/dev/root rootfstype=hostfs rootflags=/ ro "init=$work/inside.sh" con=null con0=fd:0,fd:1 con1=null quiet \
        </dev/null >"$work/console.$1" 2>&1 &
    machine=$!
    helpers=("$machine")
}
# off: the machine and everything in it, at once.
off() {
    local inner
    inner=$(ps -o pid= --ppid "$machine" 2>/dev/null)
    kill -9 "$machine" 2>/dev/null
    # shellcheck disable=SC2086
    [ -n "$inner" ] && kill -9 $inner 2>/dev/null
    wait "$machine" 2>/dev/null
    helpers=()
}
acked=0 stored=0 crossed=0 worst=0
verdict_of() {
    local file=$work/verdict.$1$2
    verdict=$(cat "$file" 2>/dev/null)
    if [ -z "$verdict" ] || grep -q BAD "$file"; then fail "cycle $1$2: ${verdict:-no verdict: $(cat "$work/end.$(($1 + 1))" 2>/dev/null) $(tail -2 "$work/console.$(($1 + 1))" 2>/dev/null)}"; fi
}
for ((i = 1; i <= cycles; i++)); do
    : >"$work/ledger.$i"
    if ((i % 2)); then
        boot "$i" segment
        sought='^x'
    else
        boot "$i" any
        sought='^a'
    fi
    # The ledger grows outside; tail ends with the machine or after a minute.
    if ! timeout 90 tail --pid="$machine" -n +1 -f "$work/ledger.$i" 2>/dev/null | grep -q -m1 "$sought"; then
        off
        if [ "$i" = 1 ] && [ ! -s "$work/ready.1" ]; then skip "User-Mode Linux does not run here: $(tail -1 "$work/console.1" | cut -c1-200)"; fi
        fail "cycle $i: nothing was acknowledged: $(cat "$work/end.$i" 2>/dev/null) $(tail -2 "$work/console.$i")"
        break
    fi
    if ((i % 2)); then crossed=$((crossed + 1)); else pause_ms "$(random_below 700)"; fi
    off
    if [ "$i" -gt 1 ]; then
        verdict_of $((i - 1)) ""
        acked=$((acked + $(of acked))) stored=$((stored + $(of stored)))
    fi
    [ -s "$work/ready.$i" ] && [ "$(cat "$work/ready.$i")" -gt "$worst" ] && worst=$(cat "$work/ready.$i")
done
boot "$i" last
timeout 300 tail --pid="$machine" -f /dev/null
off
if ((i > 1)); then
    verdict_of $((i - 1)) ""
    acked=$((acked + $(of acked))) stored=$((stored + $(of stored)))
fi
for ((j = 1; j < i; j++)); do verdict_of "$j" .end; done
grep -q "stopped 0" "$work/end.$i" 2>/dev/null || fail "the last boot ended with: $(cat "$work/end.$i" 2>/dev/null)"
say "cycles=$((i - 1)), at a new segment: $crossed; acknowledged=$acked stored=$stored; ready inside after at most $worst ms"
finish "a power cut loses nothing that was acknowledged"

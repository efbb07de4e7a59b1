#!/usr/bin/env bash
# packaging/eye.service: what systemd thinks of its exposure, and whether the service runs under it. There is no systemd to run it
# here: service-harness.c puts the service under the same system-call filter, user, limits and mounts, and listens as systemd would. What it
# does not show: PrivateUsers, PrivateDevices, ProtectHostname, ProtectClock, control groups.
. "$(dirname "$0")/common.sh"
need systemd-analyze systemd
need cc gcc
need nc netcat-openbsd
need curl curl
[ "$(id -u)" = 0 ] || skip "only root can become another user and make mounts"

unit=packaging/eye.service
exposure_max=1.5
systemd-analyze security --offline=yes "$unit" >"$scratch/security"
exposure=$(sed -n 's/.*Overall exposure level for eye.service: \([0-9.]*\).*/\1/p' "$scratch/security")
awk -v is="$exposure" -v max=$exposure_max 'BEGIN { exit !(is != "" && is <= max) }' ||
    fail "systemd-analyze security says $exposure, at most $exposure_max is wanted"
# A wrong word in a unit is only a warning to systemd.
if systemd-analyze verify "$unit" 2>&1 | grep -v 'is not executable' | grep -F eye.service; then fail "systemd-analyze verify"; fi

# calls NAME…: the system calls of systemd's groups, one a line.
calls() { for name in "$@"; do case $name in @*) expand "$name" ;; *) echo "$name" ;; esac; done; }
expand() {
    systemd-analyze syscall-filter "$1" | sed '1d; s/^ *//; /^#/d; /^$/d' | while read -r name; do calls "$name"; done
}
words() { sed -n "s/^$1=//p" "$unit"; }
read -ra wanted <<<"$(words SystemCallFilter | grep -v '^~')"
read -ra refused <<<"$(words SystemCallFilter | sed -n 's/^~//p')"
[ "${wanted[*]} without ${refused[*]}" = '@system-service without @privileged @resources' ] ||
    fail "another SystemCallFilter than this check knows"
# systemd allows what a program needs to begin at all: @default.
comm -23 <(calls @default "${wanted[@]}" | sort -u) <(calls "${refused[@]}" | sort -u) >"$scratch/calls"
[ "$(wc -l <"$scratch/calls")" -gt 200 ] || fail "no list of system calls"
{ while read -r name; do printf '#ifdef SYS_%s\nSYS_%s,\n#endif\n' "$name" "$name"; done; } <"$scratch/calls" >"$scratch/allowed.h"
cc -O1 -Wall -Wextra -Werror -I"$scratch" -o "$scratch/harness" $checks/service-harness.c
# execve is systemd's own before the filter is on; everything the unit refuses must be refused.
for name in ptrace mount reboot bpf setuid setpriority ioprio_set; do
    if grep -qx "$name" "$scratch/calls"; then fail "$name is allowed"; fi
done
[ "$(words RestrictAddressFamilies)" = 'AF_INET AF_INET6 AF_UNIX' ] || fail "other address families than the harness has"

build_release
chmod 711 "$scratch"
uid=64123
install -d -m 700 -o $uid -g $uid "$scratch/data"
install -m 755 "$eye" "$scratch/eye"
printf 'log-format = text\n' >"$scratch/eye.conf"
chmod 644 "$scratch/eye.conf"
# The secrets of the first start are for eyes, not for a journal.
chroot --userspec=$uid:$uid / "$scratch/eye" init --data "$scratch/data" >"$scratch/first"
token=$(awk '/ingest token/ { print $NF }' "$scratch/first")
password=$(awk '/admin password/ { print $NF }' "$scratch/first")
[ ${#token} = 40 ] || fail "eye init said no token"

"$scratch/harness" "$scratch/data" $uid "$scratch/eye" serve --data "$scratch/data" --config "$scratch/eye.conf" \
    --tcp 127.0.0.1:0 --udp 127.0.0.1:0 --http 127.0.0.1:0 >"$scratch/out" 2>"$scratch/err" </dev/null &
harness_pid=$!
has_said() { grep -q "$1" "$scratch/out"; }
wait_for 30 has_said '^notify: READY=1' || { cat "$scratch/out" "$scratch/err" >&2; fail "the service did not start"; }
eye_pid=$(sed -n 's/^harness: pid //p' "$scratch/out")
grep '^harness: ' "$scratch/out"
grep -q "^notify: STATUS=serving TCP 127.0.0.1:" "$scratch/out" || fail "no status"
awk '/^Uid:/ { uid = $2 } /^NoNewPrivs:/ { nnp = $2 } /^Seccomp:/ { filter = $2 } /^CapBnd:/ { bound = $2 }
    END { exit !(uid == '$uid' && nnp == 1 && filter == 2 && bound ~ /^0+$/) }' "/proc/$eye_pid/status" ||
    { cat "/proc/$eye_pid/status" >&2; fail "it does not run as the unit says"; }

tcp=$(port_of TCP) udp=$(port_of UDP) http=$(port_of http://)
event='{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"n","data":{"a":1},"timestamp":"2021-01-01T00:00:00Z"}'
printf '%s %s\n' "$token" "$event" | nc -N 127.0.0.1 "$tcp" | grep -q accepted=1 || fail "no event by TCP"
printf '%s %s\n' "$token" "$event" | nc -u -w1 127.0.0.1 "$udp"
curl -sf "http://127.0.0.1:$http/events/" -H "Authorization: Token $token" -d "$event" >/dev/null || fail "no event by HTTP"
read_token=$(curl -sf "http://127.0.0.1:$http/api-token-auth/" -d '{"username":"admin","password":"'"$password"'"}' | grep -oE '[0-9a-f]{40}')
stored() { [ "$(curl -sf "http://127.0.0.1:$http/events/" -H "Authorization: Token $read_token" | grep -o '"id":' | wc -l)" = 3 ]; }
wait_for 10 stored || fail "not three events"
curl -sf "http://127.0.0.1:$http/stats/count" -H "Authorization: Token $read_token" | grep -q 3 || fail "no statistics"
curl -sf "http://127.0.0.1:$http/-/ready" | grep -q '"ready"' || fail "it is not ready"

printf 'access-log = yes\n' >"$scratch/eye.conf"
kill -HUP "$eye_pid"
wait_for 10 has_said '^notify: RELOADING=1' || fail "no RELOADING=1"
has_reloaded() { [ "$(grep -c '^notify: READY=1' "$scratch/out")" = 2 ]; }
wait_for 10 has_reloaded || fail "no READY=1 after SIGHUP"
curl -sf "http://127.0.0.1:$http/-/healthy" >/dev/null
has_logged() { grep -q 'request.* path=/-/healthy' "$scratch/err"; }
wait_for 10 has_logged || fail "SIGHUP took no access log over"
wait_for 10 has_said '^notify: WATCHDOG=1' || fail "the watchdog is not fed"
code=0
kill -TERM "$eye_pid"
wait $harness_pid || code=$?
eye_pid=
cat "$scratch/err"
[ $code = 0 ] || fail "it ended with $code"
grep -q '^notify: STOPPING=1' "$scratch/out" || fail "no STOPPING=1"
if grep -qF "$password" "$scratch/out" "$scratch/err" || grep -qF "$token" "$scratch/err"; then fail "a secret is in the journal"; fi
echo "exposure $exposure; under the unit's filter, user, limits and mounts it takes events by TCP, UDP and HTTP, answers, reloads and ends"

#!/usr/bin/env bash
# The Dockerfile without docker: builds the command as it does, lays out the last stage's files and runs its command in a chroot that
# has only them, as its user.
. "$(dirname "$0")/common.sh"
need nc netcat-openbsd
need curl curl
need unshare util-linux
[ "$(id -u)" = 0 ] || skip "only root may chroot"
unshare --mount true 2>/dev/null || skip "no mounts of our own: a container without the right to them"

# instruction NAME: the rest of its last line.
instruction() { sed -n "s/^$1 //p" Dockerfile | tail -n 1; }
grep -q '^RUN swift build -c release --product eye && packaging/image-root' Dockerfile || fail "the Dockerfile builds something else"
[ "$(grep '^FROM' Dockerfile | tail -n 1)" = 'FROM scratch' ] || fail "the last stage is not empty at first"
build_release
packaging/image-root "$eye" "$scratch/image"
(cd "$scratch/image" && find . -type f -printf '%9s %p\n' | sort -k2) | tee "$scratch/files"
for library in $(ldd "$eye" | awk '{ print $1 }'); do
    case $library in
        linux-vdso.so.1 | libc.so.6 | libm.so.6 | libcrypt.so.1 | libstdc++.so.6 | libgcc_s.so.1 | /lib*/ld-linux-*) ;;
        *) fail "linked with $library, which docs/operations.md does not name" ;;
    esac
done

user=$(instruction USER)
entry=$(instruction ENTRYPOINT | tr -d '[]",')
read -ra command <<<"$(instruction CMD | tr -d '[]",' | sed 's/0\.0\.0\.0:[0-9]*/127.0.0.1:0/g')"
case $user in 0 | 0:* | '') fail "it runs as root" ;; esac
[ "$user" = "$(stat -c %u:%g "$scratch/image/data")" ] || fail "the user is not the owner of /data"
: >"$scratch/out"
# Docker mounts /proc, and a Swift program reads its arguments there.
mkdir "$scratch/image/proc"
# shellcheck disable=SC2016 # expanded by the inner shell
unshare --mount bash -c 'mount -t proc proc "$1/proc" && exec chroot --userspec="$2" "$1" "${@:3}"' bash \
    "$scratch/image" "$user" "$entry" "${command[@]}" >"$scratch/out" 2>"$scratch/err" </dev/null &
eye_pid=$!
wait_for 60 has_started || true
grep -q '^Try it' "$scratch/out" || { cat "$scratch/out" "$scratch/err" >&2; fail "it did not start"; }
token=$(awk '/ingest token/ { print $NF }' "$scratch/out")
event='{"session_id":"e2085be5-9137-4e4e-80b5-f1ffddc25423","category":"c","name":"n","data":{"a":1},"timestamp":"2021-01-01T00:00:00Z"}'
printf '%s %s\n' "$token" "$event" | nc -N 127.0.0.1 "$(port_of TCP)" | grep -q accepted=1 || fail "no event by TCP"
curl -sf "http://127.0.0.1:$(port_of http://)/events/" -H "Authorization: Token $token" -d "$event" >/dev/null || fail "no event by HTTP"
password=$(awk '/admin password/ { print $NF }' "$scratch/out")
curl -sf "http://127.0.0.1:$(port_of http://)/api-token-auth/" -d '{"username":"admin","password":"'"$password"'"}' | grep -q token ||
    fail "no login: libcrypt"
stop_eye
awk -v user="$user" '{ bytes += $1 } END { printf "%d files, %.1f MB; runs as %s in a chroot of them\n", NR, bytes / 1e6, user }' "$scratch/files"

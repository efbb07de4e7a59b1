# shellcheck shell=bash
# What the checks share; sourced by each of them. A check ends with 0 (passed), 77 (skipped, the reason is its last line) or
# anything else (failed). Everything it starts ends with it.

set -Eeuo pipefail
trap 'echo "failed: $BASH_COMMAND (${BASH_SOURCE[0]}:$LINENO)" >&2' ERR
shopt -s inherit_errexit
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
checks=Tests/Checks
# The service takes its settings from EYE_*: what stands in our own environment shall not change a check.
while IFS= read -r name; do unset "$name"; done < <(compgen -e | grep '^EYE_' | grep -v '^EYE_LONG_TESTS$' || true)

scratch=$(mktemp -d "${TMPDIR:-/tmp}/eye-check.XXXXXX")
eye_pid=
finish() {
    if [ -n "$eye_pid" ]; then
        kill -KILL "$eye_pid" 2>/dev/null || true
        wait "$eye_pid" 2>/dev/null || true
    fi
    rm -rf "$scratch"
}
trap finish EXIT

skip() { echo "$*"; exit 77; }
fail() { echo "failed: $*" >&2; exit 1; }

# need COMMAND PACKAGE: skips the check where the command is missing.
need() { command -v "$1" >/dev/null || skip "there is no $1 (Debian package $2)"; }

# wait_for SECONDS COMMAND…: until the command succeeds.
wait_for() {
    local rounds=$(($1 * 20))
    shift
    for ((; rounds > 0; rounds--)); do
        if "$@"; then return 0; fi
        sleep 0.05
    done
    return 1
}

# Builds the command that users get; its path is in $eye.
build_release() {
    swift build -c release --product eye 2>&1 | tail -n 1
    eye=$(swift build -c release --show-bin-path)/eye
}

# start_eye [PREFIX…] -- [OPTION…]: the service on free ports and a new data folder; sets eye_pid, token and tcp_port.
start_eye() {
    local prefix=()
    while [ "$1" != -- ]; do prefix+=("$1"); shift; done
    shift
    rm -rf "$scratch/data"
    # What an earlier start said must not be taken for this one's words.
    : >"$scratch/out"
    "${prefix[@]}" "$eye" serve --data "$scratch/data" --tcp 127.0.0.1:0 --udp off "$@" \
        >"$scratch/out" 2>"$scratch/err" </dev/null &
    eye_pid=$!
    if ! wait_for 120 has_started; then
        cat "$scratch/out" "$scratch/err" >&2
        fail "the service did not start"
    fi
    token=$(awk '/ingest token/ { print $NF }' "$scratch/out")
    tcp_port=$(port_of TCP)
    if [ -z "$token" ] || [ -z "$tcp_port" ]; then
        cat "$scratch/out" "$scratch/err" >&2
        fail "the service said no token or port"
    fi
}
# port_of TCP, UDP or http://: from what the service said first.
port_of() { awk -F "$1 ?127.0.0.1:" 'NF > 1 { split($2, rest, "[^0-9]"); print rest[1]; exit }' "$scratch/out"; }
has_started() { grep -q '^Try it' "$scratch/out" || ! kill -0 "$eye_pid" 2>/dev/null; }

# stop_eye: SIGTERM; the service must end with 0.
stop_eye() {
    local code=0
    kill -TERM "$eye_pid"
    wait "$eye_pid" || code=$?
    eye_pid=
    [ "$code" = 0 ] || { cat "$scratch/err" >&2; fail "the service ended with $code"; }
}

# lines KIND N: event lines, all accepted or all rejected, as Tests/Checks/lines.awk makes them.
lines() { awk -v kind="$1" -v count="$2" -v token="$token" -f $checks/lines.awk; }

# send FILE EXPECTED: fires a file and compares the service's last words.
send() {
    local answer
    answer=$(nc -N 127.0.0.1 "$tcp_port" <"$1" | tail -n 1)
    [ "$answer" = "$2" ] || fail "expected '$2', got '$answer'"
}

#!/usr/bin/env bash
# A new user: clones, types the README's two commands, pastes the lines that the service prints and those of the
# README's tour, ends it.
. "$(dirname "$0")/common.sh"
need git git
need nc netcat-openbsd
need curl curl

for command in 'swift run -c release eye serve' 'swift test'; do
    head -n 20 README.md | grep -qxF "$command" || fail "the README does not open with '$command'"
done

git clone -q . "$scratch/clone"
cd "$scratch/clone"
# Free ports; the command itself stays as it is in the README. Its twin, `swift test`, is a step of its own in .ci/run.
started=$SECONDS
: >"$scratch/out"
EYE_TCP=127.0.0.1:0 EYE_UDP=127.0.0.1:0 EYE_HTTP=127.0.0.1:0 \
    swift run -c release eye serve >"$scratch/out" 2>"$scratch/err" </dev/null &
eye_pid=$!
if ! wait_for 900 has_started || ! grep -q '^Try it' "$scratch/out"; then
    cat "$scratch/out" "$scratch/err" >&2
    fail "the service did not start"
fi
echo "started $((SECONDS - started)) s after the command"
[ -d eye-data ] || fail "there is no eye-data"

examples=$(sed -n '/^Try it/,$p' "$scratch/out" | tail -n +2)
bash -euo pipefail -c "$(grep 'nc -N' <<<"$examples")" >"$scratch/nc"
grep -qx '+BYE received=1 accepted=1 rejected=0 duplicate=0' "$scratch/nc" || fail "nc said: $(cat "$scratch/nc")"
bash -euo pipefail -c "$(grep -v 'nc -N' <<<"$examples")" >"$scratch/curl"
stored=$(grep -o '"name":"cta click"' "$scratch/curl" | wc -l)
[ "$stored" = 3 ] || fail "curl said: $(cat "$scratch/curl")"

# The README's tour, on our ports.
# shellcheck disable=SC2016 # backquotes are Markdown's
tour=$(sed -n '/fresh-clone.sh runs this block/,/^```$/p' README.md | grep -vE '^(<!--|```)')
tcp=$(port_of TCP) udp=$(port_of UDP) http=$(port_of http://)
tour=$(sed -e "s/-u -w1 127.0.0.1 8127/-u -w1 127.0.0.1 $udp/; s/127.0.0.1 8127/127.0.0.1 $tcp/; s/127.0.0.1:8000/127.0.0.1:$http/" <<<"$tour")
TOKEN=$(awk '/ingest token/ { print $NF }' "$scratch/out") PASSWORD=$(awk '/admin password/ { print $NF }' "$scratch/out") \
    bash -euo pipefail -c "$tour" >"$scratch/tour"
for expected in '^\+BYE received=1 accepted=1 rejected=0' '^-ERR 1 missing-field' '^\+OK 1 7$' '^\[\{"id":7,' '^\{"id":1,' '^\[\{"id":"e2085be5' \
    '"code":"missing-field"'; do
    grep -qE "$expected" "$scratch/tour" || { cat "$scratch/tour"; fail "the README's tour lacks $expected"; }
done
stop_eye
[ -z "$(git status --porcelain)" ] || fail "git sees new files: $(git status --porcelain)"
echo "the printed lines and the README's tour work, SIGTERM ends it with 0, git sees nothing new"

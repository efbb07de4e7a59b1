#!/usr/bin/env bash
# A new user: clones, types the README's two commands, pastes the lines that the service prints, ends it.
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
stop_eye
[ -z "$(git status --porcelain)" ] || fail "git sees new files: $(git status --porcelain)"
echo "the printed lines work, SIGTERM ends it with 0, git sees nothing new"

#!/usr/bin/env bash
# The 33 requests of h1spec (uNetworking/h1spec), by its own program, against `eye-echo`. Its file http_test.ts is not ours to copy: its path
# is $1 or $H1SPEC. Runs on deno, which Debian has not and PyPI has. The same requests, and those of Http11Probe, are vectors that
# `swift test` plays without either (Tests/Vectors/http, PublishedSuiteTests).
. "$(dirname "$0")/common.sh"
suite=${1:-${H1SPEC:-}}
[ -f "$suite" ] || skip "h1spec is not here (give the path of its http_test.ts); its requests were played by swift test"
deno=$(command -v deno || true)
if [ -z "$deno" ]; then
    need python3 python3
    if ! { python3 -m venv "$scratch/venv" && "$scratch/venv/bin/pip" install --quiet deno; } >&2; then
        skip "there is no deno (package of PyPI)"
    fi
    deno=$scratch/venv/bin/deno
fi
swift build --product eye-echo 2>&1 | tail -n 1
"$(swift build --show-bin-path)/eye-echo" --port 0 >"$scratch/out" 2>"$scratch/err" </dev/null &
eye_pid=$!
wait_for 20 test -s "$scratch/out" || fail "eye-echo did not start: $(cat "$scratch/err")"
DENO_DIR=$scratch/deno NO_COLOR=1 "$deno" run --no-check --allow-net "$suite" 127.0.0.1 "$(cut -d' ' -f1 "$scratch/out")" |
    tee "$scratch/said"
grep -q '^33 out of 33 tests passed' "$scratch/said" || fail "not 33 of 33"

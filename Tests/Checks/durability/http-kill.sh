#!/usr/bin/env bash
# The HTTP process is killed during reads and writes: ingest does not notice, what was answered 201 is there, and a POST repeated with
# its event_id is stored once.
. "$(dirname "$0")/common.sh"
kills=$(chosen 100 10)
heading "kill -9 of the HTTP process, $kills times, under 3 posting clients, 1 reader, 2 TCP clients"
accounts
serve --only ingest || { fail "ingest did not start"; finish x; }
ingest=$server ingest_port=$tcp
helpers=("$ingest")
serve --only http --tcp off --udp off || { fail "HTTP did not start"; finish x; }
port=$http
"$witness" load --tcp "$ingest_port" --clients 2 --token "$token" --run 1 --ledger "$work/ledger" --seconds 600 --limit 9900 --pace-us 40000 --window 200 >"$work/load.out" &
loader=$!
"$witness" http --http "$port" --clients 3 --token "$token" --run 1 --ledger "$work/ledger.http" --seconds 600 >"$work/http.out" 2>"$work/http.err" &
poster=$!
helpers=("$ingest" "$loader" "$poster")
for ((i = 1; i <= kills; i++)); do
    pause_ms $((20 + $(random_below 250)))
    kill_hard
    serve --only http --tcp off --udp off --http "127.0.0.1:$port" || { fail "kill $i: HTTP did not start: $(tail -1 "$work/serve.log")"; break; }
done
kill -TERM "$poster" "$loader"
wait "$poster" || fail "unexpected answers: $(head -3 "$work/http.err")"
wait "$loader" || fail "the TCP clients failed"
opened=0 gone=0
"$witness" get "$port" "/sessions/?limit=10000" "$token" >"$work/sessions" || fail "GET /sessions/: $(head -1 "$work/sessions")"
while read -r session; do
    opened=$((opened + 1))
    grep -q "$session" "$work/sessions" || gone=$((gone + 1))
done < <(awk '$1 == "o" { print $2 }' "$work/ledger.http")
[ "$gone" = 0 ] || fail "$gone of $opened sessions that were answered 201 are missing"
grep -c '^b ' "$work/ledger" | grep -qx 2 || fail "a TCP client lost its connection"
judge "$work/ledger.http" || fail "HTTP: $verdict"
say "HTTP: $(cat "$work/http.out"); $verdict; sessions opened=$opened missing=$gone"
judge "$work/ledger" --whole || fail "TCP: $verdict"
say "TCP beside it: $(cat "$work/load.out"); $verdict"
stop
server=$ingest
helpers=()
stop
[ "$code" = 0 ] || fail "ingest ended with $code"
finish "ingest did not notice, and everything that was answered 201 is there once"

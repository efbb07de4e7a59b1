#!/bin/bash
# shellcheck disable=SC2119
# Requests a second of keep-alive `GET /event_detail/1` by wrk with 64 connections, against nginx with a static file of the same bytes:
# in turn, five times each; prints every ratio and their median.
#   usage: http-rate.sh [SECONDS] [WORKERS of nginx]       (see server.sh for EYE and FOLDER)
set -u
cd "$(dirname "$0")" || exit 1
for tool in wrk nginx; do
    command -v $tool >/dev/null || { echo "$tool is needed (Debian packages wrk and nginx-light)"; exit 77; }
done
. ./server.sh
SECONDS_EACH=${1:-5}
WORKERS=${2:-1}

rate() { wrk -t1 -c64 -d"$SECONDS_EACH"s "$@" | tee "$FOLDER/wrk.txt" | awk '/Requests\/sec/ {print $2}'; }
bad() { grep -E 'Non-2xx|Socket errors' "$FOLDER/wrk.txt"; }

up
"$EYE" serve --only http --data "$FOLDER/data" --http 127.0.0.1:0 >"$FOLDER/http.txt" 2>&1 &
H=$!
trap 'kill $H; finish' EXIT
for _ in $(seq 100); do grep -q 'http://' "$FOLDER/http.txt" && break; sleep 0.05; done
http=$(grep -oE 'http://[0-9.:]+' "$FOLDER/http.txt" | head -1)
line="$EYE_TOKEN {\"session_id\":\"e2085be5-9137-4e4e-80b5-f1ffddc25423\",\"category\":\"page interaction\",\"name\":\"pageview\",\"data\":{\"host\":\"www.example.com\",\"path\":\"/\"},\"timestamp\":\"2021-01-01T09:15:27.243860Z\"}"
printf '%s\n' "$line" | nc -N "${TCP%:*}" "${TCP##*:}"
read_token=$("$EYE" token add --data "$FOLDER/data" --scope read rate-test | grep -oE '[0-9a-f]{40}' | head -1)
sleep 1
curl -sf -H "Authorization: Token $read_token" "$http/event_detail/1" -o "$FOLDER/event" || { echo "no event"; exit 1; }

mkdir -p "$FOLDER/nginx/html"
cp "$FOLDER/event" "$FOLDER/nginx/html/event"
chmod -R a+rX "$FOLDER"
port=$((20000 + RANDOM % 10000))
cat >"$FOLDER/nginx.conf" <<CONF
worker_processes $WORKERS;
pid $FOLDER/nginx.pid;
error_log $FOLDER/nginx.err;
events { worker_connections 1024; }
http {
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; default_type application/json;
    server { listen 127.0.0.1:$port; root $FOLDER/nginx/html; }
}
CONF
nginx -p "$FOLDER/nginx" -c "$FOLDER/nginx.conf" -g 'daemon off;' 2>/dev/null &
N=$!
trap 'kill $H $N; finish' EXIT
sleep 0.5

ratios=()
for _ in 1 2 3 4 5; do
    nginx=$(rate "http://127.0.0.1:$port/event")
    bad && exit 1
    eye=$(rate -H "Authorization: Token $read_token" "$http/event_detail/1")
    bad && exit 1
    ratio=$(awk -v e="$eye" -v n="$nginx" 'BEGIN { printf "%.2f", e / n }')
    ratios+=("$ratio")
    echo "nginx ($WORKERS workers) $nginx, eye $eye requests/s, ratio $ratio"
done
echo "median $(printf '%s\n' "${ratios[@]}" | sort -n | sed -n 3p)"

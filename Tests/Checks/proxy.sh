#!/usr/bin/env bash
# The TLS examples of docs/operations.md, as they stand there but for ports and paths: nginx and stunnel on loopback, for HTTP and for
# the line port.
. "$(dirname "$0")/common.sh"
need nginx nginx-light
need stunnel stunnel4
need openssl openssl
need curl curl
need nc netcat-openbsd
stream=/usr/lib/nginx/modules/ngx_stream_module.so
[ -e $stream ] || skip "there is no stream module of nginx (Debian package libnginx-mod-stream)"

host=events.example.com
document=docs/operations.md
# example NAME: the code block behind its mark.
example() { awk -v mark="<!-- proxy.sh: $1 -->" '$0 == mark { wanted = 1; next } wanted && /^```/ { if (inside) exit; inside = 1; next } inside' $document; }
# free_port: one that nobody listens on now.
free_port() {
    local port
    while :; do
        port=$((20000 + RANDOM % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo $port
            return
        fi
    done
}
proxies=()
stop_proxies() {
    local pid
    for pid in "${proxies[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${proxies[@]}"; do wait "$pid" 2>/dev/null || true; done
    proxies=()
}
trap 'stop_proxies; finish' EXIT

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=$host" \
    -addext "subjectAltName=DNS:$host" -keyout "$scratch/key.pem" -out "$scratch/cert.pem" 2>/dev/null

build_release
start_eye -- --http 127.0.0.1:0
http_port=$(port_of http://)
password=$(awk '/admin password/ { print $NF }' "$scratch/out")
session=e2085be5-9137-4e4e-80b5-f1ffddc25423
event='{"session_id":"'$session'","category":"c","name":"n","data":{"a":1},"timestamp":"2021-01-01T00:00:00Z"}'
sent=0

# here HTTPS LINES: the example's ports and paths as ours. A host name is ours to resolve, not the check's machine's.
here() {
    sed -e "s,/etc/eye/tls,$scratch," -e "s,/etc/ssl/certs/ca-certificates.crt,$scratch/cert.pem," \
        -e "s,listen 443,listen 127.0.0.1:$1," -e "s,listen 8443,listen 127.0.0.1:$2," \
        -e "s,accept = 443,accept = 127.0.0.1:$1," -e "s,accept = 8443,accept = 127.0.0.1:$2," \
        -e "s,connect = $host:8443,connect = 127.0.0.1:$2," -e "s,accept = 127.0.0.1:8127,accept = 127.0.0.1:${3:-0}," \
        -e "s,127.0.0.1:8000,127.0.0.1:$http_port," -e "s,127.0.0.1:8127,127.0.0.1:$tcp_port,"
}
listens() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
wait_for_port() { wait_for 20 listens "$1" || { cat "$scratch"/*.log >&2; fail "nobody listens on port $1"; }; }
https() { curl -sS --cacert "$scratch/cert.pem" --resolve "$host:$https_port:127.0.0.1" "$@"; }
status() { https -o /dev/null -w '%{http_code}' "$@"; }

check_https() {
    local read_token lines=2000
    https "https://$host:$https_port/events/" -H "Authorization: Token $token" -d "$event" | grep -q '"id":' || fail "$1: POST"
    sent=$((sent + 1))
    # A stream of lines, whole and in order.
    for ((i = 0; i < lines; i++)); do echo "$event"; done >"$scratch/lines"
    https "https://$host:$https_port/events/" -H "Authorization: Token $token" -H 'Content-Type: application/x-ndjson' \
        -H 'Transfer-Encoding: chunked' --data-binary "@$scratch/lines" -o "$scratch/answer" -w '%{http_code}' | grep -qx 201 || fail "$1: NDJSON"
    sent=$((sent + lines))
    read_token=$(https "https://$host:$https_port/api-token-auth/" -d '{"username":"admin","password":"'"$password"'"}' | grep -oE '[0-9a-f]{40}')
    [ "$(https "https://$host:$https_port/events/?format=ndjson" -H "Authorization: Token $read_token" | wc -l)" = $sent ] || fail "$1: a whole result"
    https "https://$host:$https_port/events/?limit=1" -D - -o /dev/null -H "Authorization: Token $read_token" | grep -qi '^link: </events/' || fail "$1: pages"
    [ "$(status "https://$host:$https_port/events/")" = 401 ] || fail "$1: no token"
    if curl -s --resolve "$host:$https_port:127.0.0.1" "https://$host:$https_port/" >/dev/null; then fail "$1: a stranger's certificate is taken"; fi
}
check_lines() {
    local answer
    answer=$(printf 'MODE each\n%s %s\nQUIT\n' "$token" "$event" | openssl s_client -quiet -verify_return_error -CAfile "$scratch/cert.pem" \
        -verify_hostname $host -servername $host -connect "127.0.0.1:$lines_port" 2>"$scratch/openssl.log") || true
    grep -qE '^\+OK 1 [0-9]+' <<<"$answer" || fail "$1: no verdict: $answer"
    grep -q '^+BYE received=1 accepted=1' <<<"$answer" || fail "$1: no count: $answer"
    sent=$((sent + 1))
}

# nginx
https_port=$(free_port) lines_port=$(free_port)
cat >"$scratch/nginx.conf" <<END
load_module $stream;
daemon off; pid $scratch/nginx.pid; error_log $scratch/nginx.log; user root;
events {}
http {
access_log off;
client_body_temp_path $scratch/body; proxy_temp_path $scratch/proxy; fastcgi_temp_path $scratch/fastcgi;
uwsgi_temp_path $scratch/uwsgi; scgi_temp_path $scratch/scgi;
$(example "nginx http" | here "$https_port" "$lines_port")
}
stream {
$(example "nginx stream" | here "$https_port" "$lines_port")
}
END
[ "$(grep -c proxy_pass "$scratch/nginx.conf")" = 3 ] || fail "the nginx examples are not found in $document"
nginx -p "$scratch" -c "$scratch/nginx.conf" -e "$scratch/nginx.log" &
proxies+=($!)
wait_for_port "$https_port"
wait_for_port "$lines_port"
check_https nginx
check_lines nginx
for path in metrics -/ready -/healthy; do
    [ "$(status "https://$host:$https_port/$path")" = 404 ] || fail "nginx shows /$path to strangers"
done
answers=$(for _ in 1 2 3 4 5 6 7 8 9; do status "https://$host:$https_port/api-token-auth/" -d '{"username":"x","password":"y"}'; echo; done)
grep -qx 429 <<<"$answers" || fail "nginx: logins are not limited"
stop_proxies
echo "nginx: HTTP and lines"

# stunnel, with another one beside the client
https_port=$(free_port) lines_port=$(free_port) plain_port=$(free_port)
for side in server client; do
    { printf 'foreground = yes\npid =\nsyslog = no\n'; example "stunnel $side" | here "$https_port" "$lines_port" "$plain_port"; } >"$scratch/stunnel-$side.conf"
    grep -q accept "$scratch/stunnel-$side.conf" || fail "the stunnel examples are not found in $document"
    stunnel "$scratch/stunnel-$side.conf" >"$scratch/stunnel-$side.log" 2>&1 &
    proxies+=($!)
done
wait_for_port "$https_port"
wait_for_port "$lines_port"
wait_for_port "$plain_port"
check_https stunnel
check_lines stunnel
printf '%s %s\nQUIT\n' "$token" "$event" | nc -N 127.0.0.1 "$plain_port" | grep -q '^+BYE received=1 accepted=1' || fail "stunnel beside the client"
printf '%s\n' "$event" | EYE_TOKEN=$token "$eye" send --tcp "127.0.0.1:$plain_port" - || fail "eye send through stunnel"
stop_proxies
stop_eye
echo "stunnel: HTTP, lines, and lines of a client without TLS"

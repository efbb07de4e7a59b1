// The witness of the durability checks: clients that remember, outside the service, what was acknowledged, and a judge that
// compares it with what the store shows afterwards. Linux, C11, no libraries; compiled on the spot by common.sh.
//
//   witness load  …          sends event lines until it is told to stop or the service goes away; writes a ledger
//   witness http  …          posts sessions and events (with event_id, repeated until 201); writes a ledger
//   witness judge LEDGER     reads events as JSON lines (eye tail --format json) on stdin and compares
//   witness lines RUN CLIENT COUNT      prints events without token, for `eye send`
//   witness talk ADDRESS     sends stdin to tcp:HOST:PORT or unix:PATH, half-closes, prints the answers
//   witness get PORT PATH TOKEN         one GET; prints the status and, to stdout, the body
//
// Ledger, a line each: c SESSION KIND (a client) · s SESSION n (sent up to n) · a SESSION n (acknowledged up to n) · k SESSION n
// (n itself acknowledged) · r SESSION n (n was refused) · f SESSION n (n lines were in the server's kernel when SIGTERM was sent) ·
// b SESSION received accepted (+BYE) · e SESSION code (count of a refusal's code) · o SESSION (opened over HTTP, 201) · x (a mark)
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { LINES_MAX = 20000, LINE_BYTES_MAX = 65536, CLIENTS_MAX = 64, BATCH_LINES_MAX = 48 };

static uint64_t mix(uint64_t x) {
    x ^= x >> 33, x *= 0xff51afd7ed558ccdull, x ^= x >> 33, x *= 0xc4ceb9fe1a85ec53ull;
    return x ^ x >> 33;
}
static int64_t micros(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000ll + t.tv_nsec / 1000;
}
static void nap(int64_t us) { nanosleep(&(struct timespec){us / 1000000, us % 1000000 * 1000}, NULL); }
static void die(const char *what) { perror(what), exit(2); }

// MARK: what client c of run r sends as its line n: the judge makes it again and compares every byte.

static void session_text(char out[37], uint64_t run, unsigned client) {
    sprintf(out, "%08x-%04x-4000-8000-%012x", (unsigned)run, client, client + 1);
}
/// `{"n":7,"pad":"…"}`; one in 64 is long, so that commits have frames of every size.
static size_t data_text(char *out, const char *session, uint64_t n) {
    uint64_t seed = n;
    for (const char *c = session; *c; c++) seed = mix(seed ^ (uint8_t)*c);
    size_t pad = seed % 64 == 0 ? 2000 + seed % 20000 : seed % 180;
    size_t at = (size_t)sprintf(out, "{\"n\":%llu,\"pad\":\"", (unsigned long long)n);
    for (size_t i = 0; i < pad; i++) {
        if (i % 8 == 0) seed = mix(seed);
        out[at++] = 'a' + (char)((seed >> (i % 8 * 8) & 255) % 26);
    }
    out[at++] = '"', out[at++] = '}', out[at] = 0;
    return at;
}
static size_t event_text(char *out, const char *session, uint64_t n, const char *event_id) {
    size_t at = (size_t)sprintf(
        out, "{\"session_id\":\"%s\",\"category\":\"durability\",\"name\":\"line\",\"timestamp\":\"2021-01-01T09:15:27.243860Z\"", session);
    if (event_id) at += (size_t)sprintf(out + at, ",\"event_id\":\"%s\"", event_id);
    at += (size_t)sprintf(out + at, ",\"data\":");
    at += data_text(out + at, session, n);
    out[at++] = '}', out[at] = 0;
    return at;
}

// MARK: options and ledger

static const char *tcp_port, *unix_path, *udp_port, *http_port, *token, *ledger_path, *segments_folder;
static unsigned client_count = 4;
static uint64_t run_number = 1, limit_lines = 9900, window_lines = 400;
static int64_t pace_us = 2000, seconds = 60, term_after_ms = -1, grace_ms = 8000;
static pid_t term_pid;
static bool is_synced, reports_progress;
static int ledger = -1;
static atomic_bool is_ending, is_told;

static void note(const char *format, ...) {
    char line[256];
    va_list list;
    va_start(list, format);
    int count = vsnprintf(line, sizeof line, format, list);
    va_end(list);
    if (write(ledger, line, (size_t)count) != count) die("ledger");
}

struct client {
    char session[37];
    bool is_udp;
    int socket;
    _Atomic uint64_t sent, acked, bytes_written;
    uint64_t *ends;      // ends[n]: bytes of the stream up to the end of line n
    uint8_t *refused;    // refused[n]
    uint64_t floor, greeting_bytes;
    uint64_t received, accepted, refusals;
    bool has_bye;
    char last_code[40];
    int64_t refused_since, longest_pause, last_ack;
};
static struct client clients[CLIENTS_MAX];

static int dial(void) {
    if (unix_path) {
        struct sockaddr_un a = {.sun_family = AF_UNIX};
        snprintf(a.sun_path, sizeof a.sun_path, "%s", unix_path);
        int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(s, (void *)&a, sizeof a) != 0) { close(s); return -1; }
        return s;
    }
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(tcp_port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(s, (void *)&a, sizeof a) != 0) { close(s); return -1; }
    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    return s;
}

static void take_reply(struct client *c, const char *line) {
    unsigned long long n, accepted;
    char code[40];
    if (sscanf(line, "+ACK %llu", &n) == 1) {
        uint64_t before = c->acked;
        int64_t now = micros();
        bool has_stored = false;
        for (uint64_t i = before + 1; i <= n && i < LINES_MAX; i++) has_stored |= !c->refused[i];
        if (has_stored) {
            if (c->last_ack && now - c->last_ack > c->longest_pause) c->longest_pause = now - c->last_ack;
            c->last_ack = now;
        }
        c->acked = n;
        if (is_synced || reports_progress) note("a %s %llu\n", c->session, n);
    } else if (sscanf(line, "-ERR %llu %39s", &n, code) == 2) {
        snprintf(c->last_code, sizeof c->last_code, "%s", code);
        if (n > 0 && n < LINES_MAX) c->refused[n] = 1, c->refusals++;
        if (is_synced && n > 0) note("r %s %llu\n", c->session, n);
    } else if (sscanf(line, "+BYE received=%llu accepted=%llu", &n, &accepted) == 2) {
        c->received = n, c->accepted = accepted, c->has_bye = true;
    }
}

/// Reads what is there; false at the end of the connection.
static bool take_input(struct client *c, char *buffer, size_t *count) {
    ssize_t got = recv(c->socket, buffer + *count, LINE_BYTES_MAX - *count - 1, MSG_DONTWAIT);
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    if (got == 0) return false;
    *count += (size_t)got;
    char *start = buffer, *end;
    while ((end = memchr(start, '\n', *count - (size_t)(start - buffer)))) {
        *end = 0;
        take_reply(c, start);
        start = end + 1;
    }
    *count -= (size_t)(start - buffer);
    memmove(buffer, start, *count);
    return true;
}

static void *run_stream(void *argument) {
    struct client *c = argument;
    uint64_t random = mix(run_number * 1000 + (uint64_t)(c - clients));
    char *input = malloc(LINE_BYTES_MAX), *out = malloc((size_t)(BATCH_LINES_MAX + 1) * 24000);
    size_t input_count = 0, out_at = 0;
    size_t out_count = (size_t)sprintf(out, "HELLO {\"proto\":1,\"mode\":\"acks\"}\n");
    c->greeting_bytes = out_count;
    uint64_t position = out_count, planned = 0;
    c->ends[0] = out_count;
    int64_t end = micros() + seconds * 1000000, next = 0;
    bool has_quit = false;
    for (;;) {
        int64_t now = micros();
        bool is_over = is_told || now > end;
        if (is_over && !has_quit && out_at == out_count) {
            out_count = (size_t)sprintf(out, "QUIT\n"), out_at = 0, has_quit = true;
        }
        if (is_ending || now > end + grace_ms * 1000) break;
        if (out_at == out_count && !has_quit && !is_over && planned < limit_lines && planned - c->acked < window_lines && now >= next) {
            random = mix(random + 1);
            uint64_t lines = 1 + random % BATCH_LINES_MAX;
            out_at = out_count = 0;
            for (uint64_t i = 0; i < lines && planned < limit_lines; i++) {
                planned++;
                size_t from = out_count;
                out_count += (size_t)sprintf(out + out_count, "%s ", token);
                out_count += event_text(out + out_count, c->session, planned, NULL);
                out[out_count++] = '\n';
                position += out_count - from;
                c->ends[planned] = position;
            }
            next = now + (pace_us ? (int64_t)(random >> 20) % (2 * pace_us) : 0);
            c->sent = planned;
        }
        bool wants_out = out_at < out_count;
        struct pollfd p = {.fd = c->socket, .events = (short)(POLLIN | (wants_out ? POLLOUT : 0))};
        int wait = 100;
        if (!wants_out && planned < limit_lines && planned - c->acked < window_lines) wait = next > now ? (int)((next - now) / 1000) + 1 : 1;
        poll(&p, 1, wait);
        if (p.revents & POLLOUT) {
            ssize_t wrote = send(c->socket, out + out_at, out_count - out_at, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (wrote > 0) out_at += (size_t)wrote, c->bytes_written += (uint64_t)wrote;
            // The server may have closed its side and still have last words for us.
            if (wrote < 0 && errno != EAGAIN && errno != EINTR) out_at = out_count;
        }
        if (p.revents & (POLLIN | POLLHUP | POLLERR) && !take_input(c, input, &input_count)) break;
    }
    close(c->socket);
    free(input), free(out);
    return NULL;
}

static void *run_udp(void *argument) {
    struct client *c = argument;
    char *out = malloc(LINE_BYTES_MAX);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(udp_port)), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int64_t end = micros() + seconds * 1000000;
    while (!is_ending && !is_told && c->sent < limit_lines && micros() < end) {
        size_t count = (size_t)sprintf(out, "%s ", token);
        count += event_text(out + count, c->session, c->sent + 1, NULL);
        if (sendto(c->socket, out, count, 0, (void *)&a, sizeof a) < 0 && errno == ECONNREFUSED) break;
        c->sent++;
        nap(2000);
    }
    free(out);
    return NULL;
}

/// How many lines of each client had certainly reached the server's side when SIGTERM was sent.
static void take_floors(void) {
    for (unsigned i = 0; i < client_count; i++) {
        struct client *c = &clients[i];
        if (c->is_udp) { c->floor = c->sent; continue; }
        uint64_t written = c->bytes_written;
        int queued = 0;
        if (!unix_path) ioctl(c->socket, SIOCOUTQ, &queued);
        uint64_t arrived = written > (uint64_t)queued ? written - (uint64_t)queued : 0, n = c->sent;
        while (n > 0 && c->ends[n] > arrived) n--;
        c->floor = n;
    }
}

static unsigned entries(const char *folder) {
    unsigned count = 0;
    DIR *d = opendir(folder);
    if (!d) return 0;
    while (readdir(d)) count++;
    closedir(d);
    return count;
}

static int load(void) {
    unsigned streams = client_count;
    if (udp_port) client_count++;
    pthread_t threads[CLIENTS_MAX];
    for (unsigned i = 0; i < client_count; i++) {
        struct client *c = &clients[i];
        session_text(c->session, run_number, i);
        c->is_udp = i >= streams;
        c->ends = calloc(LINES_MAX, sizeof *c->ends), c->refused = calloc(LINES_MAX, 1);
        c->socket = c->is_udp ? socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) : dial();
        // The service may have been killed before its clients were there: that is told by its own exit code.
        if (c->socket < 0) { fprintf(stderr, "witness: cannot connect: %s\n", strerror(errno)); exit(3); }
        note("c %s %s\n", c->session, c->is_udp ? "udp" : "stream");
        // What was sent is not known outside when the whole machine dies.
        if (is_synced) note("s %s %llu\n", c->session, (unsigned long long)limit_lines);
    }
    for (unsigned i = 0; i < client_count; i++)
        if (pthread_create(&threads[i], NULL, clients[i].is_udp ? run_udp : run_stream, &clients[i])) die("thread");
    if (segments_folder) {
        unsigned before = entries(segments_folder);
        int64_t end = micros() + seconds * 1000000;
        while (entries(segments_folder) == before && micros() < end) nap(300);
        note("x\n");
    }
    if (term_after_ms >= 0) {
        nap(term_after_ms * 1000);
        take_floors();
        if (kill(term_pid, SIGTERM) != 0) die("kill");
    }
    for (unsigned i = 0; i < client_count; i++) if (!clients[i].is_udp) pthread_join(threads[i], NULL);
    is_ending = true;
    for (unsigned i = 0; i < client_count; i++) if (clients[i].is_udp) pthread_join(threads[i], NULL);
    uint64_t sent = 0, acked = 0, refused = 0;
    int64_t pause = 0;
    for (unsigned i = 0; i < client_count; i++) {
        struct client *c = &clients[i];
        note("s %s %llu\n", c->session, (unsigned long long)c->sent);
        for (uint64_t n = 1; n < LINES_MAX; n++) if (c->refused[n]) note("r %s %llu\n", c->session, (unsigned long long)n);
        if (!c->is_udp) note("a %s %llu\n", c->session, (unsigned long long)c->acked);
        if (term_after_ms >= 0) note("f %s %llu\n", c->session, (unsigned long long)c->floor);
        if (c->has_bye) note("b %s %llu %llu\n", c->session, (unsigned long long)c->received, (unsigned long long)c->accepted);
        if (c->refusals) note("e %s %s %llu\n", c->session, c->last_code, (unsigned long long)c->refusals);
        sent += c->sent, acked += c->acked, refused += c->refusals;
        if (c->longest_pause > pause) pause = c->longest_pause;
    }
    printf("sent=%llu acked=%llu refused=%llu longest_pause_ms=%lld\n", (unsigned long long)sent, (unsigned long long)acked,
           (unsigned long long)refused, (long long)(pause / 1000));
    return 0;
}

// MARK: HTTP

static int dial_http(void) {
    const char *keep_unix = unix_path, *keep_tcp = tcp_port;
    unix_path = NULL, tcp_port = http_port;
    int s = dial();
    unix_path = keep_unix, tcp_port = keep_tcp;
    if (s >= 0) {
        struct timeval t = {5, 0};
        setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    }
    return s;
}
/// Sends a request and reads to the end of the answer's connection; returns the status, 0 when there was none. `body` gets the whole answer.
static int ask(const char *head, const char *content, char **body, size_t *body_count) {
    int s = dial_http();
    if (s < 0) return 0;
    size_t room = 1 << 16, count = 0;
    char *answer = malloc(room);
    ssize_t got = 0;
    int status = 0;
    if (send(s, head, strlen(head), MSG_NOSIGNAL) < 0 || (content && send(s, content, strlen(content), MSG_NOSIGNAL) < 0)) goto end;
    while ((got = recv(s, answer + count, room - count - 1, 0)) > 0) {
        count += (size_t)got;
        if (room - count < 4096) answer = realloc(answer, room *= 2);
    }
    answer[count] = 0;
    if (got < 0 || sscanf(answer, "HTTP/1.1 %d", &status) != 1 || !strstr(answer, "\r\n\r\n")) status = 0;
end:
    close(s);
    if (body) *body = answer, *body_count = count; else free(answer);
    return status;
}
static atomic_uint http_posts, http_sessions, http_reads, http_failures, http_bad;

static void *run_http(void *argument) {
    struct client *c = argument;
    char *event = malloc(LINE_BYTES_MAX), head[512], id[37];
    while (!is_told && c->sent < limit_lines) {
        uint64_t n = c->sent + 1;
        uint64_t a = mix(run_number << 32 | (uint64_t)(c - clients) << 24 | n), b = mix(a + 1);
        sprintf(id, "%08x-%04x-4%03x-8%03x-%012llx", (unsigned)a, (unsigned)(a >> 32 & 0xffff), (unsigned)(a >> 48 & 0xfff),
                (unsigned)(b & 0xfff), (unsigned long long)(b >> 16 & 0xffffffffffff));
        size_t count = event_text(event, c->session, n, id);
        sprintf(head, "POST /events/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n", token, count);
        int status = ask(head, event, NULL, NULL);
        c->sent = n;
        while (status != 201 && !is_told) {
            if (status != 0 && status != 503) { http_bad++; fprintf(stderr, "witness: POST /events/ answered %d\n", status); }
            http_failures++;
            nap(5000);
            status = ask(head, event, NULL, NULL);
        }
        if (status != 201) break;
        note("k %s %llu\n", c->session, (unsigned long long)n);
        http_posts++;
        if (n % 8 == 0) {
            char *answer;
            size_t answer_count;
            sprintf(head, "POST /sessions/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", token);
            if (ask(head, NULL, &answer, &answer_count) == 201) {
                char *at = strstr(answer, "\"id\":\"");
                if (at) note("o %.36s\n", at + 6), http_sessions++;
            }
            free(answer);
        }
    }
    return NULL;
}
static void *run_reads(void *argument) {
    (void)argument;
    char head[512];
    while (!is_told) {
        sprintf(head, "GET /events/?limit=2000 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token %s\r\nConnection: close\r\n\r\n", token);
        int status = ask(head, NULL, NULL, NULL);
        if (status == 200) http_reads++;
        else if (status != 0) { http_bad++; fprintf(stderr, "witness: GET /events/ answered %d\n", status); }
        else nap(5000);
    }
    return NULL;
}
static int http(void) {
    pthread_t threads[CLIENTS_MAX + 1];
    for (unsigned i = 0; i < client_count; i++) {
        session_text(clients[i].session, run_number, i + 32);
        note("c %s http\n", clients[i].session);
        if (pthread_create(&threads[i], NULL, run_http, &clients[i])) die("thread");
    }
    if (pthread_create(&threads[client_count], NULL, run_reads, NULL)) die("thread");
    int64_t end = micros() + seconds * 1000000;
    while (!is_told && micros() < end) nap(20000);
    is_told = true;
    for (unsigned i = 0; i <= client_count; i++) pthread_join(threads[i], NULL);
    for (unsigned i = 0; i < client_count; i++) note("s %s %llu\n", clients[i].session, (unsigned long long)clients[i].sent);
    printf("posts=%u sessions=%u reads=%u repeated=%u unexpected=%u\n", http_posts, http_sessions, http_reads, http_failures, http_bad);
    return http_bad ? 1 : 0;
}

// MARK: the judge

struct account {
    char session[37], kind[8];
    uint64_t sent, acked, floor, accepted, stored, previous, last_id;
    bool has_bye;
    uint8_t *refused, *single, *seen;
    bool has_sent;
};
static struct account accounts[4096];
static unsigned account_count;

static struct account *account(const char *session) {
    for (unsigned i = account_count; i-- > 0;) if (!strcmp(accounts[i].session, session)) return &accounts[i];
    return NULL;
}
static int judge(const char *path, bool is_whole) {
    FILE *f = fopen(path, "r");
    if (!f) die(path);
    char text[256], session[64], kind[64];
    unsigned long long n, m;
    while (fgets(text, sizeof text, f)) {
        if (!strchr(text, '\n')) break;  // the machine died while it was written
        struct account *a;
        if (sscanf(text, "c %36s %7s", session, kind) == 2) {
            if (account(session)) continue;
            a = &accounts[account_count++];
            strcpy(a->session, session), strcpy(a->kind, kind);
            a->refused = calloc(LINES_MAX, 1), a->single = calloc(LINES_MAX, 1), a->seen = calloc(LINES_MAX, 1);
            continue;
        }
        if (sscanf(text + 1, " %36s", session) != 1 || !(a = account(session))) continue;
        n = 0, m = 0;
        sscanf(text + 1, " %*s %llu %llu", &n, &m);
        if (n >= LINES_MAX) continue;
        switch (text[0]) {
        case 's': a->sent = n; break;
        case 'a': a->acked = n > a->acked ? n : a->acked; break;
        case 'k': a->single[n] = 1; break;
        case 'r': a->refused[n] = 1; break;
        case 'f': a->floor = n; break;
        case 'b': a->accepted = m, a->has_bye = true; break;
        }
    }
    fclose(f);
    uint64_t lost = 0, wrong = 0, twice = 0, swapped = 0, revived = 0, cut = 0, miscounted = 0, stored = 0, promised = 0, foreign = 0;
    char *line = NULL, *expected = malloc(LINE_BYTES_MAX);
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        char *at = strstr(line, "\"session_id\":\"");
        char *data = strstr(line, "\"data\":");
        unsigned long long id = 0;
        if (!at || !data || sscanf(line, "{\"id\":%llu", &id) != 1) { wrong++; continue; }
        snprintf(session, sizeof session, "%.36s", at + 14);
        struct account *a = account(session);
        if (!a) { foreign++; continue; }
        if (sscanf(data, "\"data\":{\"n\":%llu", &n) != 1 || n == 0 || n >= LINES_MAX || n > a->sent) { wrong++; continue; }
        size_t count = data_text(expected, session, n);
        if (strncmp(data + 7, expected, count) != 0) { wrong++; continue; }
        if (a->seen[n]++) twice++;
        if (a->refused[n]) revived++;
        // UDP may be taken out of order by two loops; a stream never.
        if (!strcmp(a->kind, "stream") && (n < a->previous || id <= a->last_id)) swapped++;
        a->previous = n, a->last_id = id;
        a->stored++, stored++;
    }
    for (unsigned i = 0; i < account_count; i++) {
        struct account *a = &accounts[i];
        uint64_t gone = 0;
        for (uint64_t j = 1; j < LINES_MAX; j++) {
            bool is_promised = (j <= a->acked && !a->refused[j]) || a->single[j];
            promised += is_promised;
            if (is_promised && !a->seen[j]) gone++;
            if (j <= a->floor && !a->refused[j] && !a->seen[j]) cut++;
            if (is_whole && j <= a->sent && !a->seen[j]) gone++;
        }
        if (a->has_bye && a->accepted != a->stored) miscounted++;
        if (gone) printf("  session %s: %llu lost of %llu acknowledged, %llu stored\n", a->session, (unsigned long long)gone,
                         (unsigned long long)a->acked, (unsigned long long)a->stored);
        lost += gone;
    }
    bool is_good = lost + wrong + twice + swapped + revived + cut + miscounted == 0;
    printf("acked=%llu stored=%llu lost=%llu altered=%llu twice=%llu out_of_order=%llu refused_but_stored=%llu received_but_not_stored=%llu bye_wrong=%llu\n",
           (unsigned long long)promised, (unsigned long long)stored, (unsigned long long)lost, (unsigned long long)wrong,
           (unsigned long long)twice, (unsigned long long)swapped, (unsigned long long)revived, (unsigned long long)cut, (unsigned long long)miscounted);
    return is_good ? 0 : 1;
}

static int talk(const char *address) {
    if (!strncmp(address, "unix:", 5)) unix_path = address + 5;
    else tcp_port = strrchr(address, ':') + 1;
    int s = dial();
    if (s < 0) die("connect");
    char buffer[65536];
    ssize_t got;
    while ((got = read(0, buffer, sizeof buffer)) > 0) if (send(s, buffer, (size_t)got, MSG_NOSIGNAL) != got) break;
    shutdown(s, SHUT_WR);
    while ((got = read(s, buffer, sizeof buffer)) > 0) fwrite(buffer, 1, (size_t)got, stdout);
    return 0;
}

static void told(int signal) { (void)signal, is_told = true; }

int main(int count, char **words) {
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    if (count < 2) return 2;
    const char *what = words[1];
    if (!strcmp(what, "judge") && count > 2) return judge(words[2], count > 3 && !strcmp(words[3], "--whole"));
    if (!strcmp(what, "talk") && count > 2) return talk(words[2]);
    if (!strcmp(what, "lines") && count > 4) {
        char *event = malloc(LINE_BYTES_MAX), session[37];
        session_text(session, strtoull(words[2], NULL, 10), (unsigned)atoi(words[3]));
        for (uint64_t n = 1; n <= strtoull(words[4], NULL, 10); n++) event_text(event, session, n, NULL), puts(event);
        return 0;
    }
    if (!strcmp(what, "get") && count > 4) {
        char head[1024], *body;
        size_t body_count = 0;
        http_port = words[2];
        snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token %s\r\nConnection: close\r\n\r\n", words[3], words[4]);
        int status = ask(head, NULL, &body, &body_count);
        printf("%d\n", status);
        char *content = status ? strstr(body, "\r\n\r\n") : NULL;
        if (content) puts(content + 4);
        return status == 200 ? 0 : 1;
    }
    for (int i = 2; i < count; i++) {
        const char *w = words[i], *v = i + 1 < count ? words[i + 1] : "";
        i++;
        if (!strcmp(w, "--tcp")) tcp_port = v;
        else if (!strcmp(w, "--unix")) unix_path = v;
        else if (!strcmp(w, "--udp")) udp_port = v;
        else if (!strcmp(w, "--http")) http_port = v;
        else if (!strcmp(w, "--token")) token = v;
        else if (!strcmp(w, "--ledger")) ledger_path = v;
        else if (!strcmp(w, "--clients")) client_count = (unsigned)atoi(v);
        else if (!strcmp(w, "--run")) run_number = strtoull(v, NULL, 10);
        else if (!strcmp(w, "--limit")) limit_lines = strtoull(v, NULL, 10);
        else if (!strcmp(w, "--window")) window_lines = strtoull(v, NULL, 10);
        else if (!strcmp(w, "--pace-us")) pace_us = atoll(v);
        else if (!strcmp(w, "--seconds")) seconds = atoll(v);
        else if (!strcmp(w, "--term")) term_pid = atoi(v);
        else if (!strcmp(w, "--term-after-ms")) term_after_ms = atoll(v);
        else if (!strcmp(w, "--mark-new-segment")) segments_folder = v;
        else if (!strcmp(w, "--synced")) is_synced = true, i--;
        else if (!strcmp(w, "--progress")) reports_progress = true, i--;
        else { fprintf(stderr, "witness: unknown %s\n", w); return 2; }
    }
    if (!token || !ledger_path || client_count >= CLIENTS_MAX || limit_lines >= LINES_MAX) return 2;
    ledger = open(ledger_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (is_synced ? O_SYNC : 0), 0600);
    if (ledger < 0) die(ledger_path);
    signal(SIGTERM, told), signal(SIGINT, told), signal(SIGPIPE, SIG_IGN);
    if (!strcmp(what, "load")) return load();
    if (!strcmp(what, "http")) return http();
    return 2;
}

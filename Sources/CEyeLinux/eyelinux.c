#define _GNU_SOURCE
#include "eyelinux.h"

#include <crypt.h>
#include <errno.h>
#include <link.h>
#include <linux/sock_diag.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

_Static_assert(EYE_READABLE == EPOLLIN && EYE_WRITABLE == EPOLLOUT && EYE_ERROR == EPOLLERR && EYE_HANGUP == EPOLLHUP
                   && EYE_PEER_CLOSED == EPOLLRDHUP,
               "the header repeats the kernel's values");
_Static_assert(EYE_ADD == EPOLL_CTL_ADD && EYE_REMOVE == EPOLL_CTL_DEL && EYE_CHANGE == EPOLL_CTL_MOD,
               "the header repeats the kernel's values");

enum { READY_MAX = 256 };

int eye_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int eye_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t token) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    return epoll_ctl(epoll, operation, descriptor, &event);
}

int eye_epoll_wait(int epoll, struct eye_ready *ready, int count, int timeout_milliseconds) {
    struct epoll_event events[READY_MAX];
    int got = epoll_wait(epoll, events, count < READY_MAX ? count : READY_MAX, timeout_milliseconds);
    for (int i = 0; i < got; i++) ready[i] = (struct eye_ready){.token = events[i].data.u64, .events = events[i].events};
    return got;
}

int eye_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int eye_timerfd_monotonic(void) { return timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK); }

int eye_timerfd_arm(int descriptor, uint64_t nanoseconds, uint64_t interval) {
    struct itimerspec when = {
        .it_value = {.tv_sec = (time_t)(nanoseconds / 1000000000u), .tv_nsec = (long)(nanoseconds % 1000000000u)},
        .it_interval = {.tv_sec = (time_t)(interval / 1000000000u), .tv_nsec = (long)(interval % 1000000000u)},
    };
    return timerfd_settime(descriptor, 0, &when, NULL);
}

int eye_signalfd(const int *signals, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < count; i++) sigaddset(&set, signals[i]);
    int failed = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (failed) {
        errno = failed;
        return -1;
    }
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

int eye_signalfd_read(int descriptor) {
    struct signalfd_siginfo info;
    ssize_t got = read(descriptor, &info, sizeof info);
    return got == (ssize_t)sizeof info ? (int)info.ssi_signo : -1;
}

int eye_block_all_signals(void) {
    sigset_t set;
    sigfillset(&set);
    return pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int eye_accept(int listener, void *address, uint32_t *address_bytes) {
    struct sockaddr_storage storage;
    socklen_t length = sizeof storage;
    int descriptor = accept4(listener, (struct sockaddr *)&storage, &length, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (descriptor >= 0) {
        if (length > sizeof storage) length = sizeof storage;
        memcpy(address, &storage, length);
        *address_bytes = length;
    }
    return descriptor;
}

struct eye_datagrams {
    unsigned count;
    size_t slot_bytes;
    uint8_t *slots;
    struct mmsghdr *messages;
    struct iovec *vectors;
    struct sockaddr_storage *sources;
};

struct eye_datagrams *eye_datagrams_create(unsigned count, size_t slot_bytes) {
    struct eye_datagrams *batch = calloc(1, sizeof *batch);
    if (!batch) return NULL;
    batch->count = count;
    batch->slot_bytes = slot_bytes;
    batch->slots = malloc(count * slot_bytes); /* touched by the kernel as datagrams need it */
    batch->messages = calloc(count, sizeof *batch->messages);
    batch->vectors = calloc(count, sizeof *batch->vectors);
    batch->sources = calloc(count, sizeof *batch->sources);
    if (!batch->slots || !batch->messages || !batch->vectors || !batch->sources) {
        eye_datagrams_free(batch);
        return NULL;
    }
    for (unsigned i = 0; i < count; i++) {
        batch->vectors[i] = (struct iovec){.iov_base = batch->slots + i * slot_bytes, .iov_len = slot_bytes};
        batch->messages[i].msg_hdr.msg_iov = &batch->vectors[i];
        batch->messages[i].msg_hdr.msg_iovlen = 1;
        batch->messages[i].msg_hdr.msg_name = &batch->sources[i];
    }
    return batch;
}

void eye_datagrams_free(struct eye_datagrams *batch) {
    if (!batch) return;
    free(batch->slots);
    free(batch->messages);
    free(batch->vectors);
    free(batch->sources);
    free(batch);
}

int eye_datagrams_receive(int descriptor, struct eye_datagrams *batch, unsigned limit) {
    if (limit > batch->count) limit = batch->count;
    for (unsigned i = 0; i < limit; i++) batch->messages[i].msg_hdr.msg_namelen = sizeof *batch->sources;
    return recvmmsg(descriptor, batch->messages, limit, MSG_DONTWAIT, NULL);
}

const uint8_t *eye_datagram_bytes(const struct eye_datagrams *batch, int index) {
    return batch->slots + (size_t)index * batch->slot_bytes;
}
size_t eye_datagram_count(const struct eye_datagrams *batch, int index) { return batch->messages[index].msg_len; }
int eye_datagram_truncated(const struct eye_datagrams *batch, int index) {
    return (batch->messages[index].msg_hdr.msg_flags & MSG_TRUNC) != 0;
}
const void *eye_datagram_source(const struct eye_datagrams *batch, int index, uint32_t *address_bytes) {
    *address_bytes = batch->messages[index].msg_hdr.msg_namelen;
    return &batch->sources[index];
}

int eye_datagrams_send(int descriptor, const uint8_t *bytes, const struct eye_piece *pieces, unsigned count) {
    struct mmsghdr messages[EYE_DATAGRAMS_MAX];
    struct iovec vectors[EYE_DATAGRAMS_MAX];
    if (count > EYE_DATAGRAMS_MAX) count = EYE_DATAGRAMS_MAX;
    for (unsigned i = 0; i < count; i++) {
        vectors[i] = (struct iovec){.iov_base = (void *)(bytes + pieces[i].offset), .iov_len = pieces[i].count};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &vectors[i], .msg_iovlen = 1}};
    }
    return sendmmsg(descriptor, messages, count, MSG_NOSIGNAL);
}

int eye_socket_drops(int descriptor, uint32_t *drops) {
    uint32_t values[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof values;
    int failed = getsockopt(descriptor, SOL_SOCKET, SO_MEMINFO, values, &length);
    if (!failed) *drops = values[SK_MEMINFO_DROPS];
    return failed;
}

int eye_sync_data(int descriptor) { return fdatasync(descriptor); }
int eye_set_thread_name(const char *name) { return pthread_setname_np(pthread_self(), name); }

/* One byte at a time, for machines without the instruction; the table is made at first use. */
static uint32_t crc_table[256];
static pthread_once_t crc_once = PTHREAD_ONCE_INIT;
static void crc_make_table(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int bit = 0; bit < 8; bit++) c = c & 1 ? (c >> 1) ^ 0x82F63B78u : c >> 1;
        crc_table[i] = c;
    }
}
static uint32_t crc_portable(uint32_t crc, const uint8_t *p, size_t count) {
    pthread_once(&crc_once, crc_make_table);
    while (count--) crc = crc_table[(crc ^ *p++) & 0xff] ^ (crc >> 8);
    return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>
__attribute__((target("sse4.2"))) static uint32_t crc_hardware(uint32_t crc, const uint8_t *p, size_t count) {
    uint64_t wide = crc;
    for (; count >= 8; p += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        wide = _mm_crc32_u64(wide, word);
    }
    crc = (uint32_t)wide;
    while (count--) crc = _mm_crc32_u8(crc, *p++);
    return crc;
}
static int crc_available(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__)
#include <arm_acle.h>
#include <sys/auxv.h>
__attribute__((target("+crc"))) static uint32_t crc_hardware(uint32_t crc, const uint8_t *p, size_t count) {
    for (; count >= 8; p += 8, count -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        crc = __crc32cd(crc, word);
    }
    while (count--) crc = __crc32cb(crc, *p++);
    return crc;
}
static int crc_available(void) { return (getauxval(AT_HWCAP) & (1u << 7)) != 0; /* HWCAP_CRC32 */ }
#else
static uint32_t crc_hardware(uint32_t crc, const uint8_t *p, size_t count) { return crc_portable(crc, p, count); }
static int crc_available(void) { return 0; }
#endif

uint32_t eye_crc32c(uint32_t crc, const void *bytes, size_t count) {
    crc = ~crc;
    crc = crc_available() ? crc_hardware(crc, bytes, count) : crc_portable(crc, bytes, count);
    return ~crc;
}

int eye_crypt(const char *phrase, const char *setting, char *out, size_t out_bytes) {
    struct crypt_data *data = calloc(1, sizeof *data); /* 32 KiB: not for the stack of a small thread */
    if (!data) return -1;
    char *hash = crypt_r(phrase, setting, data);
    int ok = hash && hash[0] != '*' && strlen(hash) < out_bytes;
    if (ok) strcpy(out, hash);
    explicit_bzero(data, sizeof *data);
    free(data);
    return ok ? 0 : -1;
}

int eye_crypt_setting(char *out, size_t out_bytes) {
    char *made = crypt_gensalt_rn("$y$", 0, NULL, 0, out, (int)out_bytes);
    return made ? 0 : -1;
}

int eye_free_bytes(const char *path, uint64_t *bytes) {
    struct statvfs about;
    int failed = statvfs(path, &about);
    if (!failed) *bytes = (uint64_t)about.f_bavail * about.f_frsize;
    return failed;
}

int eye_background_thread(void) {
    enum { WHO_PROCESS = 1, CLASS_IDLE = 3, CLASS_SHIFT = 13 };
    int tid = (int)syscall(SYS_gettid);
    int failed = setpriority(PRIO_PROCESS, (id_t)tid, 19);
    return syscall(SYS_ioprio_set, WHO_PROCESS, 0, CLASS_IDLE << CLASS_SHIFT) < 0 ? -1 : failed;
}

static int release_object(struct dl_phdr_info *object, size_t size, void *unused) {
    (void)size, (void)unused;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        /* What is writable may have been written to, by relocations if by nothing else: only the file's own bytes may go. */
        if (segment->p_type != PT_LOAD || segment->p_flags & PF_W) continue;
        uintptr_t from = (object->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t to = (object->dlpi_addr + segment->p_vaddr + segment->p_filesz) & ~(page - 1);
        if (to > from) madvise((void *)from, to - from, MADV_DONTNEED);
    }
    return 0;
}

void eye_release_program_pages(void) { dl_iterate_phdr(release_object, NULL); }

void eye_release_free_memory(void) { (void)malloc_trim(0); }

void eye_bound_free_memory(int mapped_bytes, int top_bytes) {
    (void)mallopt(M_MMAP_THRESHOLD, mapped_bytes);
    (void)mallopt(M_TRIM_THRESHOLD, top_bytes);
}

int eye_force_receive_buffer(int descriptor, int bytes) {
    return setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
}

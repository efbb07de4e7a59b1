/* What Swift's Glibc module does not see of Linux, behind functions of our own.
 *
 * Plain C on purpose: no _GNU_SOURCE and no intrinsics here (either breaks the debug build of the modules that
 * import this header); both stand in eyelinux.c. Functions return what the system call returns: -1 and errno on failure.
 */
#ifndef EYELINUX_H
#define EYELINUX_H

#include <stddef.h>
#include <stdint.h>

/* epoll(7). `token` is handed back unchanged. */
struct eye_ready {
    uint64_t token;
    uint32_t events;
};
enum { EYE_READABLE = 0x001, EYE_WRITABLE = 0x004, EYE_ERROR = 0x008, EYE_HANGUP = 0x010, EYE_PEER_CLOSED = 0x2000 };
enum { EYE_ADD = 1, EYE_REMOVE = 2, EYE_CHANGE = 3 };
int eye_epoll_create(void);
int eye_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t token);
/* At most 256 events a call. */
int eye_epoll_wait(int epoll, struct eye_ready *ready, int count, int timeout_milliseconds);

int eye_eventfd(void);
int eye_timerfd_monotonic(void);
/* Fires after `nanoseconds`, then every `interval` nanoseconds (0: once); nanoseconds 0 disarms. */
int eye_timerfd_arm(int descriptor, uint64_t nanoseconds, uint64_t interval);
/* Blocks the given signals in this thread (so in all it will start) and returns a non-blocking signalfd for them. */
int eye_signalfd(const int *signals, int count);
/* The number of the next pending signal, or -1 and EAGAIN. */
int eye_signalfd_read(int descriptor);
int eye_block_all_signals(void);

/* accept4(2): close-on-exec, non-blocking. `address` takes 128 bytes. */
int eye_accept(int listener, void *address, uint32_t *address_bytes);

/* A reusable recvmmsg(2) batch of `count` slots of `slot_bytes` bytes each. */
struct eye_datagrams;
struct eye_datagrams *eye_datagrams_create(unsigned count, size_t slot_bytes);
void eye_datagrams_free(struct eye_datagrams *);
/* Datagrams received now (non-blocking, at most `limit`, which is at most the slots), or -1 and errno. */
int eye_datagrams_receive(int descriptor, struct eye_datagrams *, unsigned limit);
const uint8_t *eye_datagram_bytes(const struct eye_datagrams *, int index);
size_t eye_datagram_count(const struct eye_datagrams *, int index);
int eye_datagram_truncated(const struct eye_datagrams *, int index);
const void *eye_datagram_source(const struct eye_datagrams *, int index, uint32_t *address_bytes);
/* A datagram to be sent: a piece of the caller's memory. */
struct eye_piece {
    size_t offset;
    size_t count;
};
enum { EYE_DATAGRAMS_MAX = 128 };
/* sendmmsg(2) on a connected socket, at most EYE_DATAGRAMS_MAX pieces of `bytes`: how many left, or -1 and errno. */
int eye_datagrams_send(int descriptor, const uint8_t *bytes, const struct eye_piece *pieces, unsigned count);
/* sk_drops of a socket, modulo 2^32 (SO_MEMINFO, SK_MEMINFO_DROPS). */
int eye_socket_drops(int descriptor, uint32_t *drops);

/* fallocate(2) is not offered on purpose; see docs/format.md. */
int eye_sync_data(int descriptor);
int eye_set_thread_name(const char *name);

/* CRC-32C (Castagnoli), continued from `crc` (0 at first); the value of RFC 3720, appendix B.4. */
uint32_t eye_crc32c(uint32_t crc, const void *bytes, size_t count);

/* crypt_r(3) into `out` (at least 384 bytes): 0, or -1 when the setting or the phrase is not usable. */
int eye_crypt(const char *phrase, const char *setting, char *out, size_t out_bytes);
/* A fresh yescrypt setting with random salt at the library's default cost. 0 or -1. */
int eye_crypt_setting(char *out, size_t out_bytes);

/* statvfs(3): bytes a non-root writer may still allocate on the file system of `path`. */
int eye_free_bytes(const char *path, uint64_t *bytes);
/* Lowest CPU and idle I/O priority for the calling thread. */
int eye_background_thread(void);
/* Takes the pages of the program's and its libraries' read-only segments out of this process's resident memory. They stay
 * in the page cache and come back when they are next touched. */
void eye_release_program_pages(void);
/* malloc_trim(3): pages that were freed and would be kept for later go back to the kernel. */
void eye_release_free_memory(void);
/* mallopt(3): what has `mapped_bytes` and more goes back to the kernel when it is freed, and so does more than `top_bytes` at a heap's end.
 * Without it malloc learns from the largest piece that was ever freed, and keeps up to 32 MiB of each such size. */
void eye_bound_free_memory(int mapped_bytes, int top_bytes);
/* Asks for a receive buffer of `bytes` beyond net.core.rmem_max: 0, or -1 and EPERM without CAP_NET_ADMIN (socket(7)). */
int eye_force_receive_buffer(int descriptor, int bytes);

#endif

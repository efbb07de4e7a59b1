// Faults of the disk for one process, by LD_PRELOAD. Only regular files are touched, and not what is derived from the log in the
// background (sealed/, index/: a failure there is not final). Everything is asked for by variables:
//
//   FAULT_SYNC_AT=n      the n-th fdatasync of the process returns FAULT_ERRNO (default EIO)
//   FAULT_LOSE=1         … and what was written to that file since its last good sync is gone (zeros), as Linux may do
//   FAULT_REPORT=FILE    the failing call writes "failed MICROSECONDS" there; every later write or sync "again"
//   FAULT_HANG=FILE      while FILE exists, fdatasync sleeps 10 s
//   FAULT_READONLY=FILE  while FILE exists, every write fails with EROFS
//   FAULT_WRITES=1       every 7th write is interrupted (EINTR), every 7th + 3 is short
//   FAULT_UNREADABLE=TEXT  every pread of a file whose path ends in TEXT fails with EIO
//   FAULT_FOLDER_LOCKS=1 flock of a folder fails with EBADF, as on NFS
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { EXTENTS_MAX = 4096 };
static struct extent { int fd; off_t at; size_t count; } extents[EXTENTS_MAX];
static unsigned extent_count;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static atomic_uint syncs, writes;
static atomic_bool has_failed;

static int is_regular(int fd) {
    struct stat about;
    return fstat(fd, &about) == 0 && S_ISREG(about.st_mode);
}
static int path_of(int fd, char path[4096]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t count = readlink(link, path, 4095);
    if (count < 0) return 0;
    path[count] = 0;
    return 1;
}
static int is_derived(int fd) {
    char path[4096];
    return path_of(fd, path) && (strstr(path, "/sealed/") != NULL || strstr(path, "/index/") != NULL);
}
static int ends_in(int fd, const char *text) {
    char path[4096];
    if (!path_of(fd, path)) return 0;
    size_t all = strlen(path), end = strlen(text);
    return all >= end && strcmp(path + all - end, text) == 0;
}
static long number(const char *name) {
    const char *text = getenv(name);
    return text ? atol(text) : 0;
}
static void report(const char *word) {
    const char *path = getenv("FAULT_REPORT");
    if (!path) return;
    struct timeval now;
    gettimeofday(&now, NULL);
    char line[96];
    int count = snprintf(line, sizeof line, "%s %lld\n", word, now.tv_sec * 1000000ll + now.tv_usec);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0) return;
    syscall(SYS_write, fd, line, count);
    close(fd);
}

int fdatasync(int fd) {
    const char *hang = getenv("FAULT_HANG");
    if (hang && access(hang, F_OK) == 0) sleep(10);
    long at = number("FAULT_SYNC_AT");
    if (at == 0 || is_derived(fd)) return (int)syscall(SYS_fdatasync, fd);
    if (has_failed) report("again-sync");
    if ((long)++syncs != at) {
        int failed = (int)syscall(SYS_fdatasync, fd);
        pthread_mutex_lock(&mutex);
        unsigned kept = 0;
        for (unsigned i = 0; i < extent_count; i++) if (extents[i].fd != fd) extents[kept++] = extents[i];
        extent_count = kept;
        pthread_mutex_unlock(&mutex);
        return failed;
    }
    if (number("FAULT_LOSE")) {
        static const char zeros[65536];
        pthread_mutex_lock(&mutex);
        for (unsigned i = 0; i < extent_count; i++) {
            if (extents[i].fd != fd) continue;
            for (size_t done = 0; done < extents[i].count;) {
                size_t part = extents[i].count - done < sizeof zeros ? extents[i].count - done : sizeof zeros;
                if (syscall(SYS_pwrite64, fd, zeros, part, extents[i].at + (off_t)done) < 0) break;
                done += part;
            }
        }
        pthread_mutex_unlock(&mutex);
    }
    has_failed = 1;
    report("failed");
    errno = number("FAULT_ERRNO") ? (int)number("FAULT_ERRNO") : EIO;
    return -1;
}

ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t at) {
    static ssize_t (*real)(int, const struct iovec *, int, off_t);
    if (!real) real = (ssize_t (*)(int, const struct iovec *, int, off_t))dlsym(RTLD_NEXT, "pwritev");
    if (!is_regular(fd)) return real(fd, pieces, count, at);
    if (has_failed && !is_derived(fd)) report("again-write");
    const char *readonly = getenv("FAULT_READONLY");
    if (readonly && access(readonly, F_OK) == 0) { errno = EROFS; return -1; }
    if (number("FAULT_WRITES")) {
        unsigned turn = writes++ % 7;
        if (turn == 6) { errno = EINTR; return -1; }
        if (turn == 3 && count > 0 && pieces[0].iov_len > 1) {
            struct iovec half = {pieces[0].iov_base, pieces[0].iov_len / 2};
            return real(fd, &half, 1, at);
        }
    }
    ssize_t wrote = real(fd, pieces, count, at);
    if (wrote > 0 && number("FAULT_LOSE")) {
        pthread_mutex_lock(&mutex);
        if (extent_count < EXTENTS_MAX) extents[extent_count++] = (struct extent){fd, at, (size_t)wrote};
        pthread_mutex_unlock(&mutex);
    }
    return wrote;
}
ssize_t pread(int fd, void *to, size_t bytes, off_t at) {
    const char *text = getenv("FAULT_UNREADABLE");
    if (text && ends_in(fd, text)) { errno = EIO; return -1; }
    return syscall(SYS_pread64, fd, to, bytes, at);
}
ssize_t pread64(int fd, void *to, size_t bytes, off64_t at) { return pread(fd, to, bytes, at); }
int flock(int fd, int operation) {
    struct stat about;
    if (number("FAULT_FOLDER_LOCKS") && fstat(fd, &about) == 0 && S_ISDIR(about.st_mode)) { errno = EBADF; return -1; }
    return (int)syscall(SYS_flock, fd, operation);
}
ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t at) { return pwritev(fd, pieces, count, at); }

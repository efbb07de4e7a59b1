/* slowsync: every fdatasync and fsync takes SLOWSYNC_MS milliseconds longer. For a process that links glibc dynamically:
 *
 *   cc -O2 -shared -fPIC -o slowsync.so slowsync.c
 *   SLOWSYNC_MS=20 LD_PRELOAD=./slowsync.so eye serve …
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void wait_a_moment(void) {
    static long milliseconds = -1;
    if (milliseconds < 0) {
        const char *text = getenv("SLOWSYNC_MS");
        milliseconds = text ? atol(text) : 0;
    }
    struct timespec rest = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    while (nanosleep(&rest, &rest)) {}
}

int fdatasync(int descriptor) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    wait_a_moment();
    return real(descriptor);
}

int fsync(int descriptor) {
    static int (*real)(int);
    if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    wait_a_moment();
    return real(descriptor);
}

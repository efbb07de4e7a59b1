// A disk whose sync fails: preloaded (LD_PRELOAD), fdatasync is EIO as soon as the file that EYE_SYNC_FAILS names exists.

#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

int fdatasync(int file) {
    const char *sign = getenv("EYE_SYNC_FAILS");
    if (sign && access(sign, F_OK) == 0) {
        errno = EIO;
        return -1;
    }
    return (int)syscall(SYS_fdatasync, file);
}

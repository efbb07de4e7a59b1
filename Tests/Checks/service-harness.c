/* A service manager for the check unit.sh, where there is no systemd: runs a command under what the unit asks for, as far as the
 * kernel lets us, and prints what the command says on NOTIFY_SOCKET. `allowed.h`, made from the unit's SystemCallFilter, has the numbers
 * of the system calls that may be made; every other one fails with EPERM.
 *
 *   service-harness DATA UID COMMAND...     ends with the command's exit code */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

int mount(const char *, const char *, const char *, unsigned long, const void *);
enum { BIND = 4096, RECURSIVE = 16384, PRIVATE = 1 << 18, NO_SUID = 2, NO_DEVICES = 4, NO_EXEC = 8 };
enum { NAMESPACES = 0x7E020000 };

static const int allowed[] = {
#include "allowed.h"
};

static void die(const char *what) {
    perror(what);
    _exit(125);
}

static struct sock_filter code[4096];
static unsigned short length;
static void add(struct sock_filter step) { code[length++] = step; }
static void load(size_t offset) { add((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offset)); }
static void give(unsigned what) { add((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what)); }
static void unless(unsigned short test, unsigned value, unsigned char skip) {
    add((struct sock_filter)BPF_JUMP(BPF_JMP | test | BPF_K, value, 0, skip));
}
#define ARGUMENT(n) (offsetof(struct seccomp_data, args) + 8 * (n))
#define FAIL(number) (SECCOMP_RET_ERRNO | (number))

/* SystemCallFilter, SystemCallArchitectures, RestrictAddressFamilies, MemoryDenyWriteExecute, RestrictNamespaces, RestrictSUIDSGID. */
static void filter_calls(void) {
    load(offsetof(struct seccomp_data, arch));
#if defined(__x86_64__)
    unless(BPF_JEQ, AUDIT_ARCH_X86_64, 1);
#else
    unless(BPF_JEQ, AUDIT_ARCH_AARCH64, 1);
#endif
    add((struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, 1));
    give(SECCOMP_RET_KILL_PROCESS);
    load(offsetof(struct seccomp_data, nr));
    unless(BPF_JEQ, SYS_socket, 6);
    load(ARGUMENT(0));
    add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 2, 0));
    add((struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 1, 0));
    unless(BPF_JEQ, AF_INET6, 1);
    give(SECCOMP_RET_ALLOW);
    give(FAIL(EAFNOSUPPORT));
    unless(BPF_JEQ, SYS_mmap, 5);
    load(ARGUMENT(2));
    add((struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, PROT_WRITE | PROT_EXEC));
    unless(BPF_JEQ, PROT_WRITE | PROT_EXEC, 1);
    give(FAIL(EPERM));
    give(SECCOMP_RET_ALLOW);
    unless(BPF_JEQ, SYS_mprotect, 4);
    load(ARGUMENT(2));
    unless(BPF_JSET, PROT_EXEC, 1);
    give(FAIL(EPERM));
    give(SECCOMP_RET_ALLOW);
    unless(BPF_JEQ, SYS_clone, 4);
    load(ARGUMENT(0));
    unless(BPF_JSET, NAMESPACES, 1);
    give(FAIL(EPERM));
    give(SECCOMP_RET_ALLOW);
    /* Its flags are in memory, where a filter cannot look: glibc falls back to clone. So does systemd. */
    unless(BPF_JEQ, SYS_clone3, 1);
    give(FAIL(ENOSYS));
    unless(BPF_JEQ, SYS_fchmod, 4);
    load(ARGUMENT(1));
    unless(BPF_JSET, S_ISUID | S_ISGID, 1);
    give(FAIL(EPERM));
    give(SECCOMP_RET_ALLOW);
    for (size_t i = 0; i < sizeof allowed / sizeof *allowed; i++) {
        unless(BPF_JEQ, (unsigned)allowed[i], 1);
        give(SECCOMP_RET_ALLOW);
    }
    give(FAIL(EPERM));
    struct sock_fprog program = {.len = length, .filter = code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)) die("no_new_privs");
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) die("seccomp");
}

static int set_mounts(const char *path, unsigned set, unsigned clear, unsigned flags) {
    struct mount_attr wanted = {.attr_set = set, .attr_clr = clear};
    return (int)syscall(SYS_mount_setattr, AT_FDCWD, path, flags, &wanted, sizeof wanted);
}

/* ProtectSystem=strict, StateDirectory, PrivateTmp, ProtectHome, ProtectProc, ProcSubset, PrivateIPC. What the kernel refuses here is said:
 * a container may have no right to it. */
static void hide_files(const char *data) {
    if (unshare(CLONE_NEWNS | CLONE_NEWIPC)) {
        printf("harness: no namespaces of its own (%s)\n", strerror(errno));
        return;
    }
    if (mount("none", "/", NULL, RECURSIVE | PRIVATE, NULL)) die("private mounts");
    if (mount(data, data, NULL, BIND, NULL)) die("bind the data folder");
    if (set_mounts("/", MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID, 0, AT_RECURSIVE)) die("read-only mounts");
    if (set_mounts(data, MOUNT_ATTR_NOEXEC, MOUNT_ATTR_RDONLY, 0)) die("writable data folder");
    if (mount("tmpfs", "/home", "tmpfs", NO_SUID | NO_DEVICES | NO_EXEC, "mode=0000")) die("/home");
    if (mount("proc", "/proc", "proc", NO_SUID | NO_DEVICES | NO_EXEC, "hidepid=invisible,subset=pid"))
        printf("harness: /proc stays as it is (%s)\n", strerror(errno));
    printf("harness: own mounts, / is read-only, /home empty\n");
}

static void drop_privileges(unsigned id) {
    struct rlimit files = {65536, 65536}, core = {0, 0};
    if (setrlimit(RLIMIT_NOFILE, &files)) printf("harness: the limit of files stays (%s)\n", strerror(errno));
    if (setrlimit(RLIMIT_CORE, &core)) die("setrlimit");
    for (int capability = 0; capability < 64; capability++) prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    if (setgroups(0, NULL) || setresgid(id, id, id) || setresuid(id, id, id)) die("user");
    umask(077);
}

int main(int count, char **words) {
    if (count < 4) return 125;
    setvbuf(stdout, NULL, _IOLBF, 0);
    /* Abstract: it has no place in the file system, so no mount hides it. */
    struct sockaddr_un place = {.sun_family = AF_UNIX};
    char name[64];
    int size = snprintf(name, sizeof name, "@eye-harness-%d", getpid());
    memcpy(place.sun_path + 1, name + 1, (size_t)size - 1);
    int ear = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(ear, (struct sockaddr *)&place, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)size))) die("bind");
    pid_t child = fork();
    if (child == 0) {
        setenv("NOTIFY_SOCKET", name, 1);
        setenv("WATCHDOG_USEC", "2000000", 1);
        hide_files(words[1]);
        drop_privileges((unsigned)atoi(words[2]));
        filter_calls();
        execv(words[3], words + 3);
        die("exec");
    }
    printf("harness: pid %d\n", child);
    for (;;) {
        struct pollfd wanted = {.fd = ear, .events = POLLIN};
        int ready = poll(&wanted, 1, 50), status;
        if (ready > 0) {
            char text[4096];
            ssize_t got = recv(ear, text, sizeof text - 1, 0);
            text[got < 0 ? 0 : got] = 0;
            for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) printf("notify: %s\n", line);
        } else if (waitpid(child, &status, WNOHANG) == child) {
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
        }
    }
}

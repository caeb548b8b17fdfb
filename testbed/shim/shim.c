/* Stands between a program and the C library: counts what it does to the files below one folder, fails, freezes or kills at a chosen
 * call, and moves the wall clock. Told what to do through a small file that both sides share. Linux with glibc only. It never touches
 * other files, the monotonic clock, or a program that it is not told about. System calls made without the C library go past it. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* The shared file; `testbed/src/shim.rs` knows the same order of 8-byte words. */
struct control {
    volatile int64_t offset;  /* seconds that the wall clock is ahead */
    volatile uint64_t kinds;  /* which calls are counted: 1 write, 2 sync, 4 length, 8 name */
    volatile uint64_t nth;    /* the call at which it happens, from 1; 0: none */
    volatile uint64_t act;    /* 1 fail, 2 freeze, 3 kill before, 4 kill after, 5 power cut, 6 power cut that keeps headers */
    volatile uint64_t error;  /* the errno of a failure */
    volatile uint64_t onward; /* 1: also every later call fails */
    uint64_t count;           /* calls counted */
    uint64_t fired;           /* how often it happened */
    char folder[PATH_MAX];    /* files below it are watched */
};

enum { WRITE = 1, SYNC = 2, LENGTH = 4, NAME = 8 };
enum { FAIL = 1, FREEZE = 2, KILL_BEFORE = 3, KILL_AFTER = 4, POWER_CUT = 5, TORN_CUT = 6 };

/* What a file held before a write or a change of length that no sync has made durable. */
struct undo {
    struct undo *earlier;
    int file;
    off64_t at;
    size_t length;
    off64_t file_length;
    unsigned char bytes[];
};

static struct control *shared;
static struct undo *unsynced;
static pthread_mutex_t undo_lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("TESTBED_SHIM");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *at = mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (at != MAP_FAILED) shared = at;
}

static int below(const char *path) {
    size_t length = shared ? strlen(shared->folder) : 0;
    return length && strncmp(path, shared->folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

static int watched(int file) {
    char link[64], path[PATH_MAX];
    if (!shared || !shared->folder[0]) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    return below(path);
}

#define REAL(name) ({ static __typeof__(&name) real; if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name); real; })

static int cuts(void) { return shared && shared->nth && (shared->act == POWER_CUT || shared->act == TORN_CUT); }

/* Keeps what a write of this length at this place replaces. */
static void keep(int is_watched, int file, off64_t at, size_t length) {
    struct stat64 now;
    if (!is_watched || !cuts() || fstat64(file, &now)) return;
    struct undo *undo = malloc(sizeof *undo + length);
    if (!undo) return;
    ssize_t had = length ? pread64(file, undo->bytes, length, at) : 0;
    undo->file = file;
    undo->at = at;
    undo->length = had > 0 ? (size_t)had : 0;
    undo->file_length = now.st_size;
    pthread_mutex_lock(&undo_lock);
    undo->earlier = unsynced;
    unsynced = undo;
    pthread_mutex_unlock(&undo_lock);
}

/* How much of a file a shorter length cuts off. */
static size_t tail(int file, off64_t length) {
    struct stat64 now;
    return fstat64(file, &now) || now.st_size <= length ? 0 : (size_t)(now.st_size - length);
}

/* A sync made all of a file durable. */
static void durable(int file) {
    pthread_mutex_lock(&undo_lock);
    for (struct undo **place = &unsynced; *place;) {
        struct undo *undo = *place;
        if (undo->file == file) {
            *place = undo->earlier;
            free(undo);
        } else {
            place = &undo->earlier;
        }
    }
    pthread_mutex_unlock(&undo_lock);
}

/* The power goes: what no sync has made durable is as it was, but for the first page where that is kept. */
static void cut(int keeps_headers) {
    pthread_mutex_lock(&undo_lock);
    for (struct undo *undo = unsynced; undo; undo = undo->earlier) {
        if (keeps_headers && undo->at < 4096 && undo->length) continue;
        if (undo->length) REAL(pwrite64)(undo->file, undo->bytes, undo->length, undo->at);
        REAL(ftruncate64)(undo->file, undo->file_length);
    }
    kill(getpid(), SIGKILL);
    pause();
}

/* Before the call: 1 if it must fail (errno is set), 2 if the process dies after it, else 0. */
static int before(int is_watched, uint64_t kind) {
    if (!is_watched || !(shared->kinds & kind)) return 0;
    uint64_t place = __atomic_add_fetch(&shared->count, 1, __ATOMIC_SEQ_CST);
    uint64_t nth = shared->nth;
    if (!nth || place < nth || (place > nth && !shared->onward)) return 0;
    __atomic_add_fetch(&shared->fired, 1, __ATOMIC_SEQ_CST);
    switch (shared->act) {
    case FAIL:
        errno = (int)shared->error;
        return 1;
    case FREEZE:
        while (shared->nth) usleep(10000);
        return 0;
    case KILL_BEFORE:
        kill(getpid(), SIGKILL);
        pause();
        return 0;
    case KILL_AFTER:
        return 2;
    case POWER_CUT:
    case TORN_CUT:
        cut(shared->act == TORN_CUT);
    }
    return 0;
}

static void after(int fate) {
    if (fate == 2) {
        kill(getpid(), SIGKILL);
        pause();
    }
}

#define WRAPPED(result, name, arguments, passed, is_watched, kind, first, last) \
    result name arguments { \
        int fate = before(is_watched, kind); \
        if (fate == 1) return -1; \
        first; \
        result got = REAL(name) passed; \
        int kept = errno; \
        last; \
        after(fate); \
        errno = kept; \
        return got; \
    }

WRAPPED(ssize_t, write, (int f, const void *b, size_t n), (f, b, n), watched(f), WRITE, keep(watched(f), f, lseek64(f, 0, SEEK_CUR), n), )
WRAPPED(ssize_t, pwrite, (int f, const void *b, size_t n, off_t o), (f, b, n, o), watched(f), WRITE, keep(watched(f), f, o, n), )
WRAPPED(ssize_t, pwrite64, (int f, const void *b, size_t n, off64_t o), (f, b, n, o), watched(f), WRITE, keep(watched(f), f, o, n), )
WRAPPED(int, fsync, (int f), (f), watched(f), SYNC, , durable(f))
WRAPPED(int, fdatasync, (int f), (f), watched(f), SYNC, , durable(f))
WRAPPED(int, ftruncate, (int f, off_t n), (f, n), watched(f), LENGTH, keep(watched(f), f, n, tail(f, n)), )
WRAPPED(int, ftruncate64, (int f, off64_t n), (f, n), watched(f), LENGTH, keep(watched(f), f, n, tail(f, n)), )
WRAPPED(int, rename, (const char *a, const char *b), (a, b), below(a), NAME, , )
WRAPPED(int, renameat, (int d, const char *a, int e, const char *b), (d, a, e, b), below(a), NAME, , )
WRAPPED(int, renameat2, (int d, const char *a, int e, const char *b, unsigned x), (d, a, e, b, x), below(a), NAME, , )
WRAPPED(int, link, (const char *a, const char *b), (a, b), below(a), NAME, , )
WRAPPED(int, linkat, (int d, const char *a, int e, const char *b, int x), (d, a, e, b, x), below(a), NAME, , )

int clock_gettime(clockid_t which, struct timespec *when) {
    int got = REAL(clock_gettime)(which, when);
    if (!got && shared && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) when->tv_sec += shared->offset;
    return got;
}

int gettimeofday(struct timeval *when, void *zone) {
    int got = REAL(gettimeofday)(when, zone);
    if (!got && shared) when->tv_sec += shared->offset;
    return got;
}

time_t time(time_t *when) {
    time_t now = REAL(time)(NULL) + (shared ? shared->offset : 0);
    if (when) *when = now;
    return now;
}

#pragma once
#include <errno.h>
#include <malloc.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>

// prctl is variadic, which Swift cannot call.
static inline void millrace_name_thread(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

// Lets writes of this thread to a closed pipe or socket fail with EPIPE instead of ending the process.
static inline void millrace_block_broken_pipe_signal(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

// When the content of a file last changed, in nanoseconds since 1970.
static inline uint64_t millrace_modified_nanoseconds(const struct stat *status) {
    return (uint64_t)status->st_mtim.tv_sec * 1000000000u + (uint64_t)status->st_mtim.tv_nsec;
}

// Nanoseconds of CLOCK_REALTIME. (Swift's overlays hide the fields of `struct timespec` from strict imports.)
static inline uint64_t millrace_wall_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// Nanoseconds of CLOCK_BOOTTIME, which goes on while the machine is suspended.
static inline uint64_t millrace_boot_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_BOOTTIME, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// Nanoseconds of CLOCK_MONOTONIC.
static inline uint64_t millrace_monotonic_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// glibc declares it for _GNU_SOURCE only.
extern int sem_clockwait(sem_t *, clockid_t, const struct timespec *);

// Waits for the semaphore until a moment of CLOCK_MONOTONIC; 0 when it was signalled, otherwise an errno.
static inline int millrace_wait_until(sem_t *semaphore, uint64_t nanoseconds) {
    struct timespec time = {(time_t)(nanoseconds / 1000000000u), (long)(nanoseconds % 1000000000u)};
    return sem_clockwait(semaphore, CLOCK_MONOTONIC, &time) == 0 ? 0 : errno;
}

// Resident memory of the process in bytes; 0 where /proc is missing.
uint64_t millrace_resident_bytes(void);

// Raises the limit of open files to what the system allows this process; the limit then, 0 where it is unknown.
uint64_t millrace_raise_descriptor_limit(void);

// Renames a file where nothing stands under the new name; -1 with the reason in errno, EEXIST where it is taken.
int millrace_rename_without_replacing(const char *old_path, const char *new_path);

// Cores that this process may run on (taskset, cpuset), at least 1.
int millrace_usable_cores(void);

// CPU time used by the process so far, user and system.
static inline uint64_t millrace_cpu_nanoseconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

// Keeps the memory of bodies up to a 32nd of `memory` each, and up to a quarter of it at the end of each heap: new pages cost
// more than all else that is done with those. `millrace_release_memory` gives it back.
static inline void millrace_tune_allocator(size_t memory) {
    size_t limit = (size_t)1 << 30;
    size_t bounded = memory < limit ? memory : limit;
    mallopt(M_MMAP_THRESHOLD, (int)(bounded / 32));
    mallopt(M_TRIM_THRESHOLD, (int)(bounded / 4));
}

// Gives all pages back that no memory in use stands in.
static inline void millrace_release_memory(void) { malloc_trim(0); }

// CRC-32C (Castagnoli), by the processor's instructions where it has them. Continues from `crc`; start with 0.
uint32_t millrace_crc32c(uint32_t crc, const void *bytes, size_t count);

// How many bytes stand before the first that a JSON string must escape: a quote, a backslash or a control character.
size_t millrace_string_run(const void *bytes, size_t count);

// Whether all bytes are under 0x80.
int millrace_is_ascii(const void *bytes, size_t count);

// Sets of ASCII bytes that are looked for together. Of each set the entry at the lower half of a byte has the bit that the
// upper half counts.
typedef struct {
    uint8_t singles[16];
    // A byte of `firsts` is marked where one of `seconds` follows.
    uint8_t firsts[16];
    uint8_t seconds[16];
} millrace_byte_sets;

// Writes one bit for each of `count` bytes, the first of each 64 in the lowest, into an element of `found` for each 64: whether it is
// marked, or the first of several digits. One more byte can be read where one `follows` in the text.
void millrace_mark(const millrace_byte_sets *sets, const void *bytes, size_t count, int follows, uint64_t *found);

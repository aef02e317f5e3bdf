#define _GNU_SOURCE
#include "machine.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

uint64_t millrace_resident_bytes(void) {
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file) return 0;
    unsigned long long total = 0, resident = 0;
    int found = fscanf(file, "%llu %llu", &total, &resident);
    fclose(file);
    return found == 2 ? resident * (uint64_t)sysconf(_SC_PAGESIZE) : 0;
}

uint64_t millrace_raise_descriptor_limit(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    struct rlimit raised = {limit.rlim_max, limit.rlim_max};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
    return limit.rlim_cur;
}

int millrace_rename_without_replacing(const char *old_path, const char *new_path) {
    if (renameat2(AT_FDCWD, old_path, AT_FDCWD, new_path, RENAME_NOREPLACE) == 0) return 0;
    // A file system that cannot rename like that may have hard links.
    if (errno != EINVAL && errno != ENOSYS) return -1;
    return link(old_path, new_path) == 0 ? unlink(old_path) : -1;
}

int millrace_usable_cores(void) {
    cpu_set_t cores;
    return sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : (int)sysconf(_SC_NPROCESSORS_ONLN);
}

// One arena for all threads, before there is a second one: `malloc_trim` keeps the end of every arena but the first, where
// most of a load's memory stands.
__attribute__((constructor)) static void millrace_use_one_arena(void) { mallopt(M_ARENA_MAX, 1); }

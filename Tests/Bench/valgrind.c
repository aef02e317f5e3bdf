// Loaded before a process that runs under valgrind.
//
// libdispatch parks the main thread in sigsuspend with a mask in read-only memory; valgrind writes to the mask that it is
// given, and crashes.

#define _GNU_SOURCE
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

int sigsuspend(const sigset_t *mask) {
    sigset_t copy = *mask;
    return (int)syscall(SYS_rt_sigsuspend, &copy, 8);
}

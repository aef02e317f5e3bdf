// For posix_spawnp's attributes and siginfo's codes.
#define _GNU_SOURCE
#include "child.h"
#include <errno.h>
#include <netdb.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

static const int passed[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
enum { passed_count = sizeof passed / sizeof passed[0] };

// Signal handlers may use only these.
static volatile sig_atomic_t receiver;
static volatile sig_atomic_t takes_all;
static volatile sig_atomic_t kept;

static void pass(int number, siginfo_t *info, void *context) {
    (void)context;
    int reason = errno;
    if (receiver == 0) {
        kept = number;
    } else if (takes_all || info->si_code != SI_KERNEL) {
        // A terminal has sent it to each process of the group already.
        kill(receiver, number);
    }
    errno = reason;
}

void millrace_catch_signals(void) {
    for (int index = 0; index < passed_count; index++) {
        struct sigaction action;
        if (sigaction(passed[index], NULL, &action) != 0 || action.sa_handler == SIG_IGN) continue;
        sigemptyset(&action.sa_mask);
        action.sa_flags = SA_SIGINFO | SA_RESTART;
        action.sa_sigaction = pass;
        sigaction(passed[index], &action, NULL);
    }
}

void millrace_pass_signals_to(pid_t child, int all) {
    takes_all = all;
    receiver = child;
    if (child != 0 && kept != 0) {
        kill(child, kept);
        kept = 0;
    }
}

int millrace_kept_signal(void) {
    return kept;
}

pid_t millrace_start_child(char *const arguments[], const int descriptors[3], int apart) {
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_t actions;
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_init(&actions);
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, (short)(POSIX_SPAWN_SETSIGMASK | (apart ? POSIX_SPAWN_SETPGROUP : 0)));
    for (int index = 0; index < 3; index++) posix_spawn_file_actions_adddup2(&actions, descriptors[index], index);
    pid_t child = -1;
    int reason = posix_spawnp(&child, arguments[0], &actions, &attributes, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    errno = reason;
    return reason == 0 ? child : -1;
}

int millrace_await_child(pid_t child) {
    siginfo_t info;
    // It is left in place until signals no longer go to its pid, which another process may have afterwards.
    while (waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {}
    if (receiver == child) receiver = 0;
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int millrace_has_ended(pid_t child) {
    siginfo_t info = {0};
    return waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == child;
}

static int connect_to(const struct addrinfo *address, int milliseconds) {
    int descriptor = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    struct timeval wait = {milliseconds / 1000, milliseconds % 1000 * 1000};
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    if (connect(descriptor, address->ai_addr, address->ai_addrlen) == 0) return descriptor;
    int reason = errno;
    close(descriptor);
    errno = reason;
    return -1;
}

int millrace_connect_tcp(const char *host, int port, int milliseconds) {
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    if (getaddrinfo(host, service, &hints, &addresses) != 0) {
        errno = EADDRNOTAVAIL;
        return -1;
    }
    int descriptor = -1;
    for (struct addrinfo *address = addresses; address && descriptor < 0; address = address->ai_next) {
        descriptor = connect_to(address, milliseconds);
    }
    int reason = errno;
    freeaddrinfo(addresses);
    errno = reason;
    return descriptor;
}

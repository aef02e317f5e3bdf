#pragma once
#include <sys/types.h>

// Programs that a command starts: one that it stands for, and a gateway beside that.

// Starts a program, looked for in PATH where its name has no slash, with these open files as its 0, 1 and 2; its pid, or -1 with
// the reason in errno. It has the variables of this process. With `apart` it is in a process group of its own, so that a terminal's signals do not come to it.
pid_t millrace_start_child(char *const arguments[], const int descriptors[3], int apart);

// From now on what is sent to this process to end it, and SIGUSR1 and SIGUSR2, goes to the child of `millrace_pass_signals_to` in
// its place; what comes before there is one is kept for it. What this process ignores it goes on to ignore.
void millrace_catch_signals(void);

// The child that signals go to, 0 for none. With `all` also those that a terminal sends to the whole process group.
void millrace_pass_signals_to(pid_t child, int all);

// The signal that came while there was no child to take it; 0 for none.
int millrace_kept_signal(void);

// Blocks until the child has ended; its exit code, or 128 and the number of the signal that ended it, as shells say it.
int millrace_await_child(pid_t child);

// Whether the child has ended; it can be awaited all the same.
int millrace_has_ended(pid_t child);

// A blocking stream to a server, or -1 with the reason in errno. Connecting waits at most `milliseconds` for each of its addresses.
int millrace_connect_tcp(const char *host, int port, int milliseconds);

#pragma once

// A blocking stream to a server on a unix socket, or -1 with the reason in errno. Connecting, and each later read and write,
// waits at most `milliseconds`.
int millrace_connect_unix(const char *path, int milliseconds);

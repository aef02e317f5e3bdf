#pragma once

// A blocking stream to a TCP server, or -1 with the reason in errno (EHOSTUNREACH where the name is unknown). Connecting,
// and each later read and write, waits at most `milliseconds`.
int millrace_connect_tcp(const char *host, const char *port, int milliseconds);

// The same to a server on a unix socket.
int millrace_connect_unix(const char *path, int milliseconds);

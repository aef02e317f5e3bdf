// The end of every way that is measured: takes export requests whole, answers 200, and counts the spans in them.
//
// usage: sink PORT. GET on any path answers {"requests": n, "spans": n, "bytes": n}. Bodies in gzip are kept and only inflated and
// counted then, so that inflating takes nothing from the load on the same core.
//
// One thread, no pipelining, nothing hostile: it only meets the proxies that the bench starts.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

enum { FIRST_BYTES = 1 << 16, HEAD_BYTES_MAX = 1 << 15 };

struct connection {
    int descriptor;
    size_t held, capacity;
    char *bytes;
};

struct kept {
    struct kept *next;
    size_t count;
    unsigned char bytes[];
};

static unsigned long requests, spans, bytes;
static struct kept *kept;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

// The length-delimited field at `*position`: its number, with the range of its content; 0 at the end or where bytes are broken.
// Fields of other wire types do not stand where this looks.
static unsigned field(const unsigned char *from, size_t end, size_t *position, size_t *start, size_t *stop) {
    if (*position >= end) return 0;
    unsigned tag = from[(*position)++];
    size_t length = 0;
    for (unsigned shift = 0; *position < end && shift < 35; shift += 7) {
        unsigned char byte = from[(*position)++];
        length |= (size_t)(byte & 127) << shift;
        if (byte < 128) break;
    }
    if ((tag & 7) != 2 || length > end - *position) return 0;
    *start = *position;
    *stop = *position += length;
    return tag >> 3;
}

// Resource spans (field 1), scope spans (2), spans (2).
static unsigned long spans_in(const unsigned char *body, size_t count) {
    unsigned long found = 0;
    unsigned number;
    size_t start, stop;
    for (size_t at = 0; (number = field(body, count, &at, &start, &stop));) {
        if (number != 1) continue;
        size_t scope_start, scope_stop, resource_end = stop;
        for (size_t in = start; (number = field(body, resource_end, &in, &scope_start, &scope_stop));) {
            if (number != 2) continue;
            size_t span_start, span_stop;
            for (size_t span = scope_start; (number = field(body, scope_stop, &span, &span_start, &span_stop));)
                found += number == 2;
        }
    }
    return found;
}

// In OTLP/JSON every span has its start, and nothing else has.
static unsigned long json_spans_in(const char *body, size_t count) {
    static const char key[] = "\"startTimeUnixNano\":";
    unsigned long found = 0;
    for (const char *at = body; (at = memmem(at, count - (size_t)(at - body), key, sizeof key - 1)); at += 1) found += 1;
    return found;
}

static void count_kept(void) {
    static unsigned char *plain;
    static size_t capacity;
    while (kept) {
        struct kept *one = kept;
        kept = one->next;
        z_stream stream = {.next_in = one->bytes, .avail_in = (unsigned)one->count};
        size_t count = 0;
        if (inflateInit2(&stream, 15 + 16) != Z_OK) fail("inflate");
        for (int status = Z_OK; status == Z_OK;) {
            if (count == capacity && !(plain = realloc(plain, capacity = capacity ? capacity * 2 : 1 << 20))) fail("realloc");
            stream.next_out = plain + count;
            stream.avail_out = (unsigned)(capacity - count);
            status = inflate(&stream, Z_NO_FLUSH);
            count = (size_t)(stream.next_out - plain);
        }
        inflateEnd(&stream);
        spans += spans_in(plain, count);
        free(one);
    }
}

static const char *header(const char *head, const char *name) {
    const char *found = strcasestr(head, name);
    return found ? found + strlen(name) : NULL;
}

static void take(const char *head, const char *body, size_t count) {
    requests += 1;
    bytes += count;
    const char *encoding = header(head, "\ncontent-encoding:"), *type = header(head, "\ncontent-type:");
    if (type && strncasecmp(type + strspn(type, " "), "application/json", 16) == 0) {
        spans += json_spans_in(body, count);
        return;
    }
    if (!encoding || !strcasestr(encoding, "gzip")) {
        spans += spans_in((const unsigned char *)body, count);
        return;
    }
    struct kept *one = malloc(sizeof *one + count);
    if (!one) fail("malloc");
    one->next = kept;
    one->count = count;
    memcpy(one->bytes, body, count);
    kept = one;
}

static int answer(struct connection *one, int is_question) {
    char text[256], json[128];
    json[0] = 0;
    if (is_question) {
        count_kept();
        snprintf(json, sizeof json, "{\"requests\": %lu, \"spans\": %lu, \"bytes\": %lu}\n", requests, spans, bytes);
    }
    const char *type = is_question ? "application/json" : "application/x-protobuf";
    int count = snprintf(
        text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n%s", type, strlen(json), json
    );
    return send(one->descriptor, text, (size_t)count, MSG_NOSIGNAL) == count;
}

// Handles what came of a request; 0 when the connection is over.
static int handle(struct connection *one) {
    one->bytes[one->held] = 0;
    char *end = memmem(one->bytes, one->held, "\r\n\r\n", 4);
    if (!end) return one->held < HEAD_BYTES_MAX;
    size_t head_count = (size_t)(end - one->bytes) + 4;
    *end = 0;
    const char *length = header(one->bytes, "\ncontent-length:");
    size_t count = length ? strtoul(length, NULL, 10) : 0;
    int is_whole = one->held >= head_count + count;
    int is_known = length || !header(one->bytes, "\ntransfer-encoding:");
    int is_question = strncmp(one->bytes, "GET ", 4) == 0;
    if (is_whole && is_known && !is_question) take(one->bytes, end + 4, count);
    *end = '\r';
    if (!is_known) return 0;
    if (!is_whole) {
        if (one->capacity > head_count + count) return 1;
        one->capacity = head_count + count + 1;
        return (one->bytes = realloc(one->bytes, one->capacity)) != NULL;
    }
    one->held = 0;
    return answer(one, is_question);
}

static int read_some(struct connection *one) {
    ssize_t count = recv(one->descriptor, one->bytes + one->held, one->capacity - one->held - 1, 0);
    if (count <= 0) return 0;
    one->held += (size_t)count;
    return handle(one);
}

int main(int count, char **arguments) {
    if (count != 2) return fprintf(stderr, "usage: sink PORT\n"), 2;
    int server = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(arguments[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(server, (struct sockaddr *)&address, sizeof address) || listen(server, 1024)) fail("bind");
    struct epoll_event ready[64], interest = {.events = EPOLLIN};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, server, &interest)) fail("epoll");
    for (;;) {
        int events = epoll_wait(poll, ready, 64, -1);
        for (int index = 0; index < events; index += 1) {
            struct connection *one = ready[index].data.ptr;
            if (!one) {
                int descriptor = accept(server, NULL, NULL);
                if (descriptor < 0) continue;
                setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
                if (!(one = calloc(1, sizeof *one)) || !(one->bytes = malloc(FIRST_BYTES))) fail("malloc");
                one->descriptor = descriptor;
                one->capacity = FIRST_BYTES;
                struct epoll_event added = {.events = EPOLLIN, .data.ptr = one};
                if (epoll_ctl(poll, EPOLL_CTL_ADD, descriptor, &added)) fail("epoll");
            } else if (!read_some(one)) {
                close(one->descriptor);
                free(one->bytes);
                free(one);
            }
        }
    }
}

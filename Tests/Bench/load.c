// Sends one request again and again over several connections, flat out or at a rate, and waits for every answer.
//
// usage: load PORT BODY TYPE ENCODING CONNECTIONS SECONDS RATE [PATCHES]
//
// ENCODING is "-" for none. With a RATE over 0, requests are due at fixed times, and latency counts from then, so that a late
// answer counts in those that it delays, too; flat out (0), each connection sends when it has its answer. PATCHES names a file
// that makes the requests differ: lines "at OFFSET", then lines of texts, all of one length; each request gets the next text
// written over its body, byte n of it at the nth offset. Prints one line of JSON.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CONNECTIONS_MAX = 1024, OFFSETS_MAX = 8192, TEXTS_MAX = 4096, ANSWER_BYTES = 8192 };
static const double PATIENCE = 30;

struct connection {
    int descriptor;
    int is_waiting;
    double since;
    size_t sent, received;
    char *request;
    char answer[ANSWER_BYTES];
};

static struct connection connections[CONNECTIONS_MAX];
static int connection_count, poll_descriptor, port;
static struct connection *idle[CONNECTIONS_MAX];
static int idle_count;
static char *request;
static size_t request_count, body_start;
static size_t offsets[OFFSETS_MAX], offset_count, text_count, next_text;
static char *texts[TEXTS_MAX];
static unsigned long started, answered_200, refused, other, broken;
static float *latencies;
static size_t latency_count, latency_capacity;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void open_connection(struct connection *one) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int yes = 1;
    one->descriptor = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(one->descriptor, (struct sockaddr *)&address, sizeof address)) fail("connect");
    setsockopt(one->descriptor, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    fcntl(one->descriptor, F_SETFL, O_NONBLOCK);
    struct epoll_event interest = {.events = EPOLLIN, .data.ptr = one};
    if (epoll_ctl(poll_descriptor, EPOLL_CTL_ADD, one->descriptor, &interest)) fail("epoll");
    one->is_waiting = 0;
    idle[idle_count++] = one;
}

static void reopen(struct connection *one) {
    if (one->is_waiting) broken += 1;
    for (int index = 0; index < idle_count; index += 1)
        if (idle[index] == one) idle[index--] = idle[--idle_count];
    close(one->descriptor);
    open_connection(one);
}

static void send_rest(struct connection *one) {
    while (one->sent < request_count) {
        ssize_t count = send(one->descriptor, one->request + one->sent, request_count - one->sent, MSG_NOSIGNAL);
        if (count < 0 && errno != EAGAIN) return reopen(one);
        if (count < 0) break;
        one->sent += (size_t)count;
    }
    int is_blocked = one->sent < request_count;
    struct epoll_event interest = {.events = EPOLLIN | (is_blocked ? EPOLLOUT : 0), .data.ptr = one};
    epoll_ctl(poll_descriptor, EPOLL_CTL_MOD, one->descriptor, &interest);
}

static void start(struct connection *one, double since) {
    if (text_count) {
        const char *text = texts[next_text++ % text_count];
        for (size_t index = 0; index < offset_count; index += 1) one->request[body_start + offsets[index]] = text[index];
    }
    one->sent = one->received = 0;
    one->since = since;
    one->is_waiting = 1;
    started += 1;
    send_rest(one);
}

static void note(double seconds) {
    if (latency_count == latency_capacity) {
        latency_capacity = latency_capacity ? latency_capacity * 2 : 1 << 16;
        if (!(latencies = realloc(latencies, latency_capacity * sizeof *latencies))) fail("realloc");
    }
    latencies[latency_count++] = (float)(seconds * 1000);
}

// Whether the answer is whole: with a length, or in chunks.
static int is_whole(struct connection *one) {
    one->answer[one->received] = 0;
    char *end = strstr(one->answer, "\r\n\r\n");
    if (!end) return 0;
    if (strcasestr(one->answer, "\ntransfer-encoding: chunked")) return strstr(end, "\r\n0\r\n\r\n") != NULL;
    const char *length = strcasestr(one->answer, "\ncontent-length:");
    size_t count = length && length < end ? strtoul(length + 16, NULL, 10) : 0;
    return one->received >= (size_t)(end - one->answer) + 4 + count;
}

static void receive(struct connection *one) {
    ssize_t count = recv(one->descriptor, one->answer + one->received, ANSWER_BYTES - 1 - one->received, 0);
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return reopen(one);
    one->received += (size_t)count;
    if (!one->is_waiting || !is_whole(one)) return;
    int status = atoi(one->answer + 9);
    if (status == 200) answered_200 += 1;
    else if (status == 503 || status == 429) refused += 1;
    else other += 1;
    if (status == 200) note(now() - one->since);
    one->is_waiting = 0;
    if (strcasestr(one->answer, "\nconnection: close")) return reopen(one);
    idle[idle_count++] = one;
}

static void poll_until(double moment) {
    double left = moment - now();
    if (left < 0) left = 0;
    struct timespec pause = {.tv_sec = (time_t)left, .tv_nsec = (long)((left - (double)(time_t)left) * 1e9)};
    struct epoll_event ready[CONNECTIONS_MAX];
    int count = epoll_pwait2(poll_descriptor, ready, CONNECTIONS_MAX, &pause, NULL);
    for (int index = 0; index < count; index += 1) {
        struct connection *one = ready[index].data.ptr;
        if (ready[index].events & EPOLLOUT) send_rest(one);
        if (ready[index].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) receive(one);
    }
}

static double run(double seconds, double rate) {
    double begin = now(), end = begin + seconds;
    for (double time = begin; time < end; time = now()) {
        double due = rate > 0 ? begin + (double)started / rate : time;
        while (idle_count && due <= time && due < end) {
            start(idle[--idle_count], due);
            due = rate > 0 ? begin + (double)started / rate : time;
        }
        poll_until(rate > 0 && idle_count && due < end ? due : end);
    }
    double sent = now();
    while (idle_count < connection_count && now() < sent + PATIENCE) poll_until(sent + PATIENCE);
    broken += (unsigned long)(connection_count - idle_count);
    return now() - begin;
}

static char *contents(const char *path, size_t *count) {
    FILE *file = fopen(path, "rb");
    if (!file) fail(path);
    fseek(file, 0, SEEK_END);
    *count = (size_t)ftell(file);
    rewind(file);
    char *bytes = malloc(*count + 1);
    if (!bytes || fread(bytes, 1, *count, file) != *count) fail(path);
    bytes[*count] = 0;
    fclose(file);
    return bytes;
}

static void read_patches(const char *path) {
    size_t count;
    for (char *line = strtok(contents(path, &count), "\n"); line; line = strtok(NULL, "\n")) {
        if (strncmp(line, "at ", 3) == 0 && offset_count < OFFSETS_MAX) offsets[offset_count++] = strtoul(line + 3, NULL, 10);
        else if (text_count < TEXTS_MAX) texts[text_count++] = line;
    }
    for (size_t index = 0; index < text_count; index += 1)
        if (strlen(texts[index]) != offset_count) fprintf(stderr, "text %zu has another length\n", index), exit(2);
}

static void build(const char *body_path, const char *type, const char *encoding) {
    size_t count;
    char *body = contents(body_path, &count), head[512];
    int is_coded = strcmp(encoding, "-") != 0;
    body_start = (size_t)snprintf(
        head, sizeof head,
        "POST /v1/traces HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nContent-Type: %s\r\n%s%s%sContent-Length: %zu\r\n\r\n",
        type, is_coded ? "Content-Encoding: " : "", is_coded ? encoding : "", is_coded ? "\r\n" : "", count
    );
    request_count = body_start + count;
    if (!(request = malloc(request_count))) fail("malloc");
    memcpy(request, head, body_start);
    memcpy(request + body_start, body, count);
}

static int ascending(const void *left, const void *right) {
    float difference = *(const float *)left - *(const float *)right;
    return (difference > 0) - (difference < 0);
}

static double percentile(double part) {
    return latency_count ? latencies[(size_t)(part * (double)(latency_count - 1))] : 0;
}

int main(int count, char **arguments) {
    if (count < 8) return fprintf(stderr, "usage: load PORT BODY TYPE ENCODING CONNECTIONS SECONDS RATE [PATCHES]\n"), 2;
    port = atoi(arguments[1]);
    build(arguments[2], arguments[3], arguments[4]);
    connection_count = atoi(arguments[5]);
    if (connection_count < 1 || connection_count > CONNECTIONS_MAX) return fprintf(stderr, "1 to 1024 connections\n"), 2;
    if (count > 8) read_patches(arguments[8]);
    poll_descriptor = epoll_create1(0);
    for (int index = 0; index < connection_count; index += 1) {
        struct connection *one = &connections[index];
        one->request = request;
        if (text_count && !(one->request = memcpy(malloc(request_count), request, request_count))) fail("malloc");
        open_connection(one);
    }
    double took = run(atof(arguments[6]), atof(arguments[7]));
    qsort(latencies, latency_count, sizeof *latencies, ascending);
    printf(
        "{\"requests\": %lu, \"accepted\": %lu, \"refused\": %lu, \"other\": %lu, \"broken\": %lu, \"seconds\": %.4f, "
        "\"p50_ms\": %.4f, \"p99_ms\": %.4f}\n",
        started, answered_200, refused, other, broken, took, percentile(0.5), percentile(0.99)
    );
}

#include "embedded.h"

// Part of C23, which no released compiler has as its default.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char common[] = {
#embed "rules/common.json"
};
static const unsigned char openinference[] = {
#embed "rules/openinference.json"
};
static const unsigned char otel_genai[] = {
#embed "rules/otel_genai.json"
};
static const unsigned char precedence[] = {
#embed "rules/precedence.json"
};
static const unsigned char traceloop[] = {
#embed "rules/traceloop.json"
};

static const struct {
    const char *name;
    const unsigned char *bytes;
    long count;
} conventions[] = {
    {"common", common, sizeof common},
    {"otel_genai", otel_genai, sizeof otel_genai},
    {"openinference", openinference, sizeof openinference},
    {"traceloop", traceloop, sizeof traceloop},
};

long millrace_convention_count(void) { return sizeof conventions / sizeof conventions[0]; }
const char *millrace_convention_name(long index) { return conventions[index].name; }
const unsigned char *millrace_convention_bytes(long index) { return conventions[index].bytes; }
long millrace_convention_size(long index) { return conventions[index].count; }
const unsigned char *millrace_precedence_bytes(void) { return precedence; }
long millrace_precedence_size(void) { return sizeof precedence; }

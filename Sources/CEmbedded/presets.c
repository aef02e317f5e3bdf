#include "embedded.h"

// Part of C23, which no released compiler has as its default.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char aws_xray[] = {
#embed "presets/aws_xray.json"
};
static const unsigned char betterstack[] = {
#embed "presets/betterstack.json"
};
static const unsigned char braintrust[] = {
#embed "presets/braintrust.json"
};
static const unsigned char datadog[] = {
#embed "presets/datadog.json"
};
static const unsigned char dynatrace[] = {
#embed "presets/dynatrace.json"
};
static const unsigned char elastic[] = {
#embed "presets/elastic.json"
};
static const unsigned char gcp[] = {
#embed "presets/gcp.json"
};
static const unsigned char grafana_cloud[] = {
#embed "presets/grafana_cloud.json"
};
static const unsigned char langfuse[] = {
#embed "presets/langfuse.json"
};
static const unsigned char langsmith[] = {
#embed "presets/langsmith.json"
};
static const unsigned char newrelic[] = {
#embed "presets/newrelic.json"
};
static const unsigned char opik[] = {
#embed "presets/opik.json"
};
static const unsigned char phoenix[] = {
#embed "presets/phoenix.json"
};
static const unsigned char weave[] = {
#embed "presets/weave.json"
};

static const struct {
    const char *name;
    const unsigned char *bytes;
    long count;
} presets[] = {
    {"aws_xray", aws_xray, sizeof aws_xray},
    {"betterstack", betterstack, sizeof betterstack},
    {"braintrust", braintrust, sizeof braintrust},
    {"datadog", datadog, sizeof datadog},
    {"dynatrace", dynatrace, sizeof dynatrace},
    {"elastic", elastic, sizeof elastic},
    {"gcp", gcp, sizeof gcp},
    {"grafana_cloud", grafana_cloud, sizeof grafana_cloud},
    {"langfuse", langfuse, sizeof langfuse},
    {"langsmith", langsmith, sizeof langsmith},
    {"newrelic", newrelic, sizeof newrelic},
    {"opik", opik, sizeof opik},
    {"phoenix", phoenix, sizeof phoenix},
    {"weave", weave, sizeof weave},
};

long millrace_preset_count(void) { return sizeof presets / sizeof presets[0]; }
const char *millrace_preset_name(long index) { return presets[index].name; }
const unsigned char *millrace_preset_bytes(long index) { return presets[index].bytes; }
long millrace_preset_size(long index) { return presets[index].count; }

#include "embedded.h"

// Part of C23, which no released compiler has as its default.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char ag2[] = {
#embed "rules/ag2.json"
};
static const unsigned char agentops[] = {
#embed "rules/agentops.json"
};
static const unsigned char agentscope[] = {
#embed "rules/agentscope.json"
};
static const unsigned char beeai[] = {
#embed "rules/beeai.json"
};
static const unsigned char claude_code[] = {
#embed "rules/claude_code.json"
};
static const unsigned char codex[] = {
#embed "rules/codex.json"
};
static const unsigned char common[] = {
#embed "rules/common.json"
};
static const unsigned char gemini_cli[] = {
#embed "rules/gemini_cli.json"
};
static const unsigned char genkit[] = {
#embed "rules/genkit.json"
};
static const unsigned char google_adk[] = {
#embed "rules/google_adk.json"
};
static const unsigned char griptape[] = {
#embed "rules/griptape.json"
};
static const unsigned char guardrails[] = {
#embed "rules/guardrails.json"
};
static const unsigned char haystack[] = {
#embed "rules/haystack.json"
};
static const unsigned char laminar[] = {
#embed "rules/laminar.json"
};
static const unsigned char langfuse[] = {
#embed "rules/langfuse.json"
};
static const unsigned char langsmith[] = {
#embed "rules/langsmith.json"
};
static const unsigned char langwatch[] = {
#embed "rules/langwatch.json"
};
static const unsigned char litellm[] = {
#embed "rules/litellm.json"
};
static const unsigned char livekit[] = {
#embed "rules/livekit.json"
};
static const unsigned char logfire[] = {
#embed "rules/logfire.json"
};
static const unsigned char mastra[] = {
#embed "rules/mastra.json"
};
static const unsigned char mcp[] = {
#embed "rules/mcp.json"
};
static const unsigned char mirascope[] = {
#embed "rules/mirascope.json"
};
static const unsigned char mistralai[] = {
#embed "rules/mistralai.json"
};
static const unsigned char openinference[] = {
#embed "rules/openinference.json"
};
static const unsigned char openlit[] = {
#embed "rules/openlit.json"
};
static const unsigned char otel_genai[] = {
#embed "rules/otel_genai.json"
};
static const unsigned char precedence[] = {
#embed "rules/precedence.json"
};
static const unsigned char pydantic_ai[] = {
#embed "rules/pydantic_ai.json"
};
static const unsigned char semantic_kernel[] = {
#embed "rules/semantic_kernel.json"
};
static const unsigned char spring_ai[] = {
#embed "rules/spring_ai.json"
};
static const unsigned char strands[] = {
#embed "rules/strands.json"
};
static const unsigned char traceloop[] = {
#embed "rules/traceloop.json"
};
static const unsigned char vercel_ai[] = {
#embed "rules/vercel_ai.json"
};
static const unsigned char voltagent[] = {
#embed "rules/voltagent.json"
};
static const unsigned char wrappers[] = {
#embed "rules/wrappers.json"
};

static const struct {
    const char *name;
    const unsigned char *bytes;
    long count;
} conventions[] = {
    {"ag2", ag2, sizeof ag2},
    {"agentops", agentops, sizeof agentops},
    {"agentscope", agentscope, sizeof agentscope},
    {"beeai", beeai, sizeof beeai},
    {"claude_code", claude_code, sizeof claude_code},
    {"codex", codex, sizeof codex},
    {"common", common, sizeof common},
    {"gemini_cli", gemini_cli, sizeof gemini_cli},
    {"genkit", genkit, sizeof genkit},
    {"google_adk", google_adk, sizeof google_adk},
    {"griptape", griptape, sizeof griptape},
    {"guardrails", guardrails, sizeof guardrails},
    {"haystack", haystack, sizeof haystack},
    {"laminar", laminar, sizeof laminar},
    {"langfuse", langfuse, sizeof langfuse},
    {"langsmith", langsmith, sizeof langsmith},
    {"langwatch", langwatch, sizeof langwatch},
    {"litellm", litellm, sizeof litellm},
    {"livekit", livekit, sizeof livekit},
    {"logfire", logfire, sizeof logfire},
    {"mastra", mastra, sizeof mastra},
    {"mcp", mcp, sizeof mcp},
    {"mirascope", mirascope, sizeof mirascope},
    {"mistralai", mistralai, sizeof mistralai},
    {"openinference", openinference, sizeof openinference},
    {"openlit", openlit, sizeof openlit},
    {"otel_genai", otel_genai, sizeof otel_genai},
    {"pydantic_ai", pydantic_ai, sizeof pydantic_ai},
    {"semantic_kernel", semantic_kernel, sizeof semantic_kernel},
    {"spring_ai", spring_ai, sizeof spring_ai},
    {"strands", strands, sizeof strands},
    {"traceloop", traceloop, sizeof traceloop},
    {"vercel_ai", vercel_ai, sizeof vercel_ai},
    {"voltagent", voltagent, sizeof voltagent},
};

long millrace_convention_count(void) { return sizeof conventions / sizeof conventions[0]; }
const char *millrace_convention_name(long index) { return conventions[index].name; }
const unsigned char *millrace_convention_bytes(long index) { return conventions[index].bytes; }
long millrace_convention_size(long index) { return conventions[index].count; }
const unsigned char *millrace_precedence_bytes(void) { return precedence; }
long millrace_precedence_size(void) { return sizeof precedence; }
const unsigned char *millrace_wrappers_bytes(void) { return wrappers; }
long millrace_wrappers_size(void) { return sizeof wrappers; }

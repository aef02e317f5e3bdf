#include "embedded_pipeline.h"

// Part of C23, which no released compiler has as its default.
#pragma clang diagnostic ignored "-Wc23-extensions"

static const uint8_t text[] = {
#embed "../../pipelines/default.json"
};

size_t millrace_default_pipeline_count(void) { return sizeof text; }
uint8_t millrace_default_pipeline_byte(size_t index) { return text[index]; }

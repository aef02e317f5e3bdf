#include "embedded_pipeline.h"

static const uint8_t text[] = {
#embed "../../pipelines/default.json"
};

size_t millrace_default_pipeline_count(void) { return sizeof text; }
uint8_t millrace_default_pipeline_byte(size_t index) { return text[index]; }

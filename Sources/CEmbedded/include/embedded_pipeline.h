#pragma once
#include <stddef.h>
#include <stdint.h>

// The pipeline file that runs when none is named: pipelines/default.json as it was at build time.
size_t millrace_default_pipeline_count(void);
uint8_t millrace_default_pipeline_byte(size_t index);

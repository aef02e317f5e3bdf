#pragma once
#include <stddef.h>
#include <stdint.h>

// RE2 (https://github.com/google/re2) for C. Any number of threads may search with one expression.

#ifdef __cplusplus
extern "C" {
#endif

typedef struct millrace_expression millrace_expression;

// Compiles the UTF-8 of a pattern, in RE2's syntax, in which `.` is any character, line breaks included. Program and
// tables take at most `memory` bytes. NULL for a pattern that RE2 refuses; `reason` then holds what it says, cut to `room`
// bytes, the closing zero included.
millrace_expression *millrace_expression_new(const char *pattern, size_t count, int64_t memory, char *reason,
                                             size_t room);

void millrace_expression_free(millrace_expression *expression);

// Instructions of the compiled program, read forwards or backwards, whichever is longer; -1 where that is over its share
// of the memory.
int millrace_expression_size(const millrace_expression *expression);

// Whether the expression is found anywhere in `count` bytes.
int millrace_expression_finds(const millrace_expression *expression, const void *bytes, size_t count);

// Looks for the first match that begins at `start` or behind it; 1, and where it begins and ends, or 0. `nanoseconds`, unless
// it is NULL, gets what that took of the thread's time.
int millrace_expression_first(const millrace_expression *expression, const void *bytes, size_t count, size_t start,
                              size_t *first, size_t *last, int64_t *nanoseconds);

#ifdef __cplusplus
}
#endif

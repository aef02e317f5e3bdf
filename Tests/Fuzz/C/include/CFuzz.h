#pragma once

#include <stddef.h>
#include <stdint.h>

/// The bytes that are allocated now, over all threads.
long millrace_heap_live(void);

/// The most bytes that were allocated at once since the last call of `millrace_heap_mark`.
long millrace_heap_peak(void);

/// Starts a new peak at what is allocated now.
void millrace_heap_mark(void);

/// The processor time that this thread has used, in nanoseconds.
uint64_t millrace_thread_nanoseconds(void);

// What libFuzzer offers (compiler-rt/include/fuzzer/FuzzerInterface.h has no C header in Swift's toolchain).

int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t size_max);

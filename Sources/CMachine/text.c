#include "machine.h"
#include <string.h>

static int ends_run(uint8_t byte) { return byte < 0x20 || byte == '"' || byte == '\\'; }

static size_t string_run(const uint8_t *bytes, size_t offset, size_t count) {
    while (offset < count && !ends_run(bytes[offset])) offset++;
    return offset;
}

static int is_ascii(const uint8_t *bytes, size_t offset, size_t count) {
    uint64_t found = 0;
    for (; count - offset >= 8; offset += 8) {
        uint64_t word;
        memcpy(&word, bytes + offset, 8);
        found |= word;
    }
    for (; offset < count; offset++) found |= bytes[offset];
    return (found & 0x8080808080808080u) == 0;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define VECTOR __attribute__((target("avx2")))

// One bit for each of 32 bytes that ends a run.
VECTOR static inline unsigned stops(const uint8_t *bytes) {
    __m256i part = _mm256_loadu_si256((const __m256i *)bytes);
    __m256i control = _mm256_cmpeq_epi8(_mm256_min_epu8(part, _mm256_set1_epi8(0x1F)), part);
    __m256i quote = _mm256_cmpeq_epi8(part, _mm256_set1_epi8('"'));
    __m256i backslash = _mm256_cmpeq_epi8(part, _mm256_set1_epi8('\\'));
    return (unsigned)_mm256_movemask_epi8(_mm256_or_si256(control, _mm256_or_si256(quote, backslash)));
}

// `count` is at least 32; the last step may look at bytes again that end no run.
VECTOR static size_t string_run_by_vector(const uint8_t *bytes, size_t count) {
    for (size_t offset = 0;; offset += 32) {
        if (offset > count - 32) offset = count - 32;
        unsigned found = stops(bytes + offset);
        if (found) return offset + (size_t)__builtin_ctz(found);
        if (offset == count - 32) return count;
    }
}

VECTOR static int is_ascii_by_vector(const uint8_t *bytes, size_t count) {
    __m256i found = _mm256_loadu_si256((const __m256i *)(bytes + count - 32));
    for (size_t offset = 0; offset + 32 < count; offset += 32) {
        found = _mm256_or_si256(found, _mm256_loadu_si256((const __m256i *)(bytes + offset)));
    }
    return _mm256_movemask_epi8(found) == 0;
}

static int has_vectors(void) { return __builtin_cpu_supports("avx2"); }
#else
static size_t string_run_by_vector(const uint8_t *bytes, size_t count) { return string_run(bytes, 0, count); }
static int is_ascii_by_vector(const uint8_t *bytes, size_t count) { return is_ascii(bytes, 0, count); }
static int has_vectors(void) { return 0; }
#endif

size_t millrace_string_run(const void *bytes, size_t count) {
    return count >= 32 && has_vectors() ? string_run_by_vector(bytes, count) : string_run(bytes, 0, count);
}

int millrace_is_ascii(const void *bytes, size_t count) {
    return count >= 32 && has_vectors() ? is_ascii_by_vector(bytes, count) : is_ascii(bytes, 0, count);
}

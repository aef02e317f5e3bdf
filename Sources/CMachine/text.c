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

// All bits set in each of 32 bytes that ends a run.
VECTOR static inline __m256i stops(const uint8_t *bytes) {
    // By the lower half of a byte the one quote or backslash that has it, which a byte over 0x7F never equals.
    const __m256i marks = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(0, 0, '"', 0, 0, 0, 0, 0, 0, 0, 0, 0, '\\', 0, 0, 0));
    __m256i part = _mm256_loadu_si256((const __m256i *)bytes);
    __m256i control = _mm256_cmpeq_epi8(_mm256_min_epu8(part, _mm256_set1_epi8(0x1F)), part);
    return _mm256_or_si256(control, _mm256_cmpeq_epi8(_mm256_shuffle_epi8(marks, part), part));
}

// `count` is at least 32; the last step may look at bytes again that end no run.
VECTOR static size_t string_run_by_vector(const uint8_t *bytes, size_t count) {
    size_t offset = 0;
    for (; count - offset >= 128; offset += 128) {
        __m256i first = stops(bytes + offset), second = stops(bytes + offset + 32);
        __m256i third = stops(bytes + offset + 64), fourth = stops(bytes + offset + 96);
        __m256i any = _mm256_or_si256(_mm256_or_si256(first, second), _mm256_or_si256(third, fourth));
        if (!_mm256_testz_si256(any, any)) break;
    }
    for (;; offset += 32) {
        if (offset > count - 32) offset = count - 32;
        unsigned found = (unsigned)_mm256_movemask_epi8(stops(bytes + offset));
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

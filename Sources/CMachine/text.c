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

static int is_in(const uint8_t *set, uint8_t byte) { return byte < 0x80 && set[byte & 15] >> (byte >> 4) & 1; }

// The first digit of several alone is found; `*wasDigit` says whether the byte before was one.
static uint64_t mark(const millrace_byte_sets *sets, const uint8_t *bytes, size_t count, size_t readable, uint64_t *wasDigit) {
    uint64_t marks = 0;
    for (size_t offset = 0; offset < count; offset++) {
        uint8_t byte = bytes[offset], next = offset + 1 < readable ? bytes[offset + 1] : 0x80;
        uint64_t isMarked = is_in(sets->singles, byte) || (is_in(sets->firsts, byte) && is_in(sets->seconds, next));
        uint64_t isDigit = byte >= '0' && byte <= '9';
        marks |= (isMarked | (isDigit & ~*wasDigit)) << offset;
        *wasDigit = isDigit;
    }
    return marks;
}

static void mark_all(
    const millrace_byte_sets *sets, const uint8_t *bytes, size_t count, int follows, uint64_t *found) {
    uint64_t wasDigit = 0;
    for (size_t offset = 0; offset < count; offset += 64) {
        size_t part = count - offset < 64 ? count - offset : 64;
        found[offset / 64] = mark(sets, bytes + offset, part, count - offset + (follows ? 1 : 0), &wasDigit);
    }
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

// All bits set in each of 32 bytes that is not in the set; `upper` has the bit of the upper half of each.
VECTOR static inline __m256i is_outside(__m256i set, __m256i bytes, __m256i upper) {
    return _mm256_cmpeq_epi8(_mm256_and_si256(_mm256_shuffle_epi8(set, bytes), upper), _mm256_setzero_si256());
}

VECTOR static inline __m256i upper_bits(__m256i bytes) {
    const __m256i bits = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(1, 2, 4, 8, 16, 32, 64, (char)128, 0, 0, 0, 0, 0, 0, 0, 0));
    return _mm256_shuffle_epi8(bits, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), _mm256_set1_epi8(15)));
}

// What follows the last byte is in no set, unless another one can be read.
VECTOR static void mark_by_vector(
    const millrace_byte_sets *sets, const uint8_t *bytes, size_t count, int follows, uint64_t *found) {
    const __m256i singles = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)sets->singles));
    const __m256i firsts = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)sets->firsts));
    const __m256i seconds = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)sets->seconds));
    uint64_t wasDigit = 0;
    uint8_t padded[96];
    for (size_t offset = 0; offset < count; offset += 64) {
        const uint8_t *part = bytes + offset;
        size_t left = count - offset;
        if (left + (follows ? 1 : 0) < 65) {
            memset(padded, 0x80, sizeof padded);
            memcpy(padded, part, left);
            part = padded;
        }
        uint64_t marked = 0, numbers = 0;
        for (int half = 0; half < 64; half += 32) {
            __m256i here = _mm256_loadu_si256((const __m256i *)(part + half));
            __m256i next = _mm256_loadu_si256((const __m256i *)(part + half + 1));
            __m256i upper = upper_bits(here);
            __m256i others = _mm256_and_si256(
                is_outside(singles, here, upper),
                _mm256_or_si256(is_outside(firsts, here, upper), is_outside(seconds, next, upper_bits(next))));
            __m256i value = _mm256_sub_epi8(here, _mm256_set1_epi8('0'));
            __m256i isDigit = _mm256_cmpeq_epi8(_mm256_min_epu8(value, _mm256_set1_epi8(9)), value);
            marked |= (uint64_t)(uint32_t)~_mm256_movemask_epi8(others) << half;
            numbers |= (uint64_t)(uint32_t)_mm256_movemask_epi8(isDigit) << half;
        }
        found[offset / 64] = marked | (numbers & ~(numbers << 1 | wasDigit));
        wasDigit = numbers >> 63;
    }
}

static int has_vectors(void) { return __builtin_cpu_supports("avx2"); }
#else
static size_t string_run_by_vector(const uint8_t *bytes, size_t count) { return string_run(bytes, 0, count); }
static int is_ascii_by_vector(const uint8_t *bytes, size_t count) { return is_ascii(bytes, 0, count); }
static void mark_by_vector(
    const millrace_byte_sets *sets, const uint8_t *bytes, size_t count, int follows, uint64_t *found) {
    mark_all(sets, bytes, count, follows, found);
}
static int has_vectors(void) { return 0; }
#endif

size_t millrace_string_run(const void *bytes, size_t count) {
    return count >= 32 && has_vectors() ? string_run_by_vector(bytes, count) : string_run(bytes, 0, count);
}

int millrace_is_ascii(const void *bytes, size_t count) {
    return count >= 32 && has_vectors() ? is_ascii_by_vector(bytes, count) : is_ascii(bytes, 0, count);
}

void millrace_mark(const millrace_byte_sets *sets, const void *bytes, size_t count, int follows, uint64_t *found) {
    if (has_vectors()) return mark_by_vector(sets, bytes, count, follows, found);
    mark_all(sets, bytes, count, follows, found);
}

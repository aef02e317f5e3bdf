#include "machine.h"
#include <pthread.h>
#include <string.h>

static uint32_t table[256];

static void make_table(void) {
    for (uint32_t index = 0; index < 256; index++) {
        uint32_t value = index;
        for (int bit = 0; bit < 8; bit++) value = value & 1 ? value >> 1 ^ 0x82F63B78u : value >> 1;
        table[index] = value;
    }
}

static uint32_t by_table(uint32_t crc, const uint8_t *bytes, size_t count) {
    while (count--) crc = crc >> 8 ^ table[(crc ^ *bytes++) & 0xFF];
    return crc;
}

#if defined(__x86_64__)
#define CRC_TARGET __attribute__((target("sse4.2")))
#define CRC_WORD(crc, word) __builtin_ia32_crc32di(crc, word)
#define CRC_BYTE(crc, byte) __builtin_ia32_crc32qi(crc, byte)
static int has_instruction(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__)
#include <sys/auxv.h>
#define CRC_TARGET __attribute__((target("crc")))
#define CRC_WORD(crc, word) __builtin_arm_crc32cd(crc, word)
#define CRC_BYTE(crc, byte) __builtin_arm_crc32cb(crc, byte)
static int has_instruction(void) { return (getauxval(AT_HWCAP) & (1 << 7)) != 0; }
#endif

#ifdef CRC_TARGET
// The instruction takes one cycle to start and three to finish, so three streams of this length run side by side.
enum { STREAM = 2048 };
// Counting costs as much as the instruction itself.
#define UNROLLED _Pragma("clang loop unroll_count(8)")

// What `STREAM` zero bytes make of each byte of a checksum, so that a stream can be joined to the one before it.
static uint32_t shifts[4][256];

static void make_shifts(void) {
    static const uint8_t zeros[STREAM];
    for (int place = 0; place < 4; place++) {
        for (uint32_t byte = 0; byte < 256; byte++) shifts[place][byte] = by_table(byte << 8 * place, zeros, STREAM);
    }
}

static uint32_t shifted(uint32_t crc) {
    return shifts[0][crc & 0xFF] ^ shifts[1][crc >> 8 & 0xFF] ^ shifts[2][crc >> 16 & 0xFF] ^ shifts[3][crc >> 24];
}

static uint64_t word_at(const uint8_t *bytes) {
    uint64_t word;
    memcpy(&word, bytes, 8);
    return word;
}

CRC_TARGET static uint32_t by_instruction(uint32_t crc, const uint8_t *bytes, size_t count) {
    for (; count >= 3 * STREAM; count -= 3 * STREAM, bytes += 3 * STREAM) {
        uint64_t first = crc, second = 0, third = 0;
        UNROLLED for (size_t offset = 0; offset < STREAM; offset += 8) {
            first = CRC_WORD(first, word_at(bytes + offset));
            second = CRC_WORD(second, word_at(bytes + STREAM + offset));
            third = CRC_WORD(third, word_at(bytes + 2 * STREAM + offset));
        }
        crc = shifted(shifted((uint32_t)first) ^ (uint32_t)second) ^ (uint32_t)third;
    }
    uint64_t wide = crc;
    UNROLLED for (; count >= 8; count -= 8, bytes += 8) wide = CRC_WORD(wide, word_at(bytes));
    crc = (uint32_t)wide;
    while (count--) crc = CRC_BYTE(crc, *bytes++);
    return crc;
}
#endif

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_tables(void) {
    make_table();
#ifdef CRC_TARGET
    make_shifts();
#endif
}

uint32_t millrace_crc32c(uint32_t crc, const void *bytes, size_t count) {
    pthread_once(&once, make_tables);
#ifdef CRC_TARGET
    if (has_instruction()) return ~by_instruction(~crc, bytes, count);
#endif
    return ~by_table(~crc, bytes, count);
}

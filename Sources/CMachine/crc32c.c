#include "machine.h"
#include <string.h>

static uint32_t by_table(uint32_t crc, const uint8_t *bytes, size_t count) {
    static uint32_t table[256];
    static int ready;
    if (!__atomic_load_n(&ready, __ATOMIC_ACQUIRE)) {
        for (uint32_t index = 0; index < 256; index++) {
            uint32_t value = index;
            for (int bit = 0; bit < 8; bit++) value = value & 1 ? value >> 1 ^ 0x82F63B78u : value >> 1;
            table[index] = value;
        }
        __atomic_store_n(&ready, 1, __ATOMIC_RELEASE);
    }
    while (count--) crc = crc >> 8 ^ table[(crc ^ *bytes++) & 0xFF];
    return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *bytes, size_t count) {
    uint64_t wide = crc;
    for (; count >= 8; count -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        wide = __builtin_ia32_crc32di(wide, word);
    }
    crc = (uint32_t)wide;
    while (count--) crc = __builtin_ia32_crc32qi(crc, *bytes++);
    return crc;
}

static int has_instruction(void) { return __builtin_cpu_supports("sse4.2"); }
#elif defined(__aarch64__)
__attribute__((target("crc"))) static uint32_t by_instruction(uint32_t crc, const uint8_t *bytes, size_t count) {
    for (; count >= 8; count -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        crc = __builtin_arm_crc32cd(crc, word);
    }
    while (count--) crc = __builtin_arm_crc32cb(crc, *bytes++);
    return crc;
}

#include <sys/auxv.h>
static int has_instruction(void) { return (getauxval(AT_HWCAP) & (1 << 7)) != 0; }
#else
static uint32_t by_instruction(uint32_t crc, const uint8_t *bytes, size_t count) { return by_table(crc, bytes, count); }
static int has_instruction(void) { return 0; }
#endif

uint32_t millrace_crc32c(uint32_t crc, const void *bytes, size_t count) {
    crc = ~crc;
    crc = has_instruction() ? by_instruction(crc, bytes, count) : by_table(crc, bytes, count);
    return ~crc;
}

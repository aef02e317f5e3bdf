// What ThreadSanitizer has to be told of Swift's run time; linked into the tests under it alone.

#include <sched.h>
#include <stdint.h>

// Synchronization._MutexHandle._lockSlow(UInt32): waits until the word is 0 and puts the thread's number there. Taking a free
// lock is compiled into the program, and so instrumented; waiting for one that is held happens in Swift's own library by a
// futex, which is not: every contended lock would look like a race.
__attribute__((swiftcall)) void lock_slowly(uint32_t thread, __attribute__((swift_context)) uint32_t *word)
    __asm__("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");

__attribute__((swiftcall)) void lock_slowly(uint32_t thread, __attribute__((swift_context)) uint32_t *word) {
    uint32_t free = 0;
    while (!__atomic_compare_exchange_n(word, &free, thread, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        free = 0;
        sched_yield();
    }
}

// Told of each `inout`, of which one of an empty type has no address to look at. The loads and stores behind them are seen
// all the same.
void __wrap___tsan_external_write(void *address, void *caller, void *tag) {
    (void)address, (void)caller, (void)tag;
}

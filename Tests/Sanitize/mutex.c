// The part of Swift's Mutex that ThreadSanitizer cannot see, so that it knows of every lock that is taken.
//
// Taking a free lock is compiled into the program, and so instrumented; waiting for one that is held happens in Swift's own
// library by a futex, which is not. This is called instead: it is linked into the tests under ThreadSanitizer alone.

#include <sched.h>
#include <stdint.h>

// Synchronization._MutexHandle._lockSlow(UInt32): waits until the word is 0 and puts the thread's number there.
__attribute__((swiftcall)) void lock_slowly(uint32_t thread, __attribute__((swift_context)) uint32_t *word)
    __asm__("$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");

__attribute__((swiftcall)) void lock_slowly(uint32_t thread, __attribute__((swift_context)) uint32_t *word) {
    uint32_t free = 0;
    while (!__atomic_compare_exchange_n(word, &free, thread, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        free = 0;
        sched_yield();
    }
}

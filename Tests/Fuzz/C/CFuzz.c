// Counts what the process allocates, by standing before the allocator of glibc, so that a peak can be held against the
// size of an input.

#define _GNU_SOURCE
#include "CFuzz.h"

#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <time.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);
extern void __libc_free(void *);

static _Atomic long live;
static _Atomic long peak;

static void *counted(void *memory) {
    if (memory == NULL) return NULL;
    long now = (long)malloc_usable_size(memory);
    now += atomic_fetch_add_explicit(&live, now, memory_order_relaxed);
    long most = atomic_load_explicit(&peak, memory_order_relaxed);
    while (now > most
           && !atomic_compare_exchange_weak_explicit(&peak, &most, now, memory_order_relaxed, memory_order_relaxed)) {
    }
    return memory;
}

static void forget(long size) { atomic_fetch_sub_explicit(&live, size, memory_order_relaxed); }

void *malloc(size_t size) { return counted(__libc_malloc(size)); }
void *calloc(size_t count, size_t size) { return counted(__libc_calloc(count, size)); }
void *memalign(size_t alignment, size_t size) { return counted(__libc_memalign(alignment, size)); }
void *aligned_alloc(size_t alignment, size_t size) { return counted(__libc_memalign(alignment, size)); }

int posix_memalign(void **memory, size_t alignment, size_t size) {
    void *made = counted(__libc_memalign(alignment, size));
    if (made == NULL) return ENOMEM;
    *memory = made;
    return 0;
}

void *realloc(void *memory, size_t size) {
    long before = memory == NULL ? 0 : (long)malloc_usable_size(memory);
    void *moved = __libc_realloc(memory, size);
    if (moved == NULL && size > 0) return NULL;
    forget(before);
    return counted(moved);
}

void free(void *memory) {
    if (memory != NULL) forget((long)malloc_usable_size(memory));
    __libc_free(memory);
}

long millrace_heap_live(void) { return atomic_load_explicit(&live, memory_order_relaxed); }
long millrace_heap_peak(void) { return atomic_load_explicit(&peak, memory_order_relaxed); }
void millrace_heap_mark(void) { atomic_store_explicit(&peak, millrace_heap_live(), memory_order_relaxed); }

uint64_t millrace_thread_nanoseconds(void) {
    struct timespec time;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time) != 0) return 0;
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

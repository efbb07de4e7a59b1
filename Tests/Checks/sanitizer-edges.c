// Tells the thread sanitizer what Swift's Mutex does. The fast path of Mutex is inlined into our code, where the sanitizer sees
// its atomics; the slow path lies in the Swift library, which is not instrumented, so that an edge between two threads
// would be missing whenever a lock was contended, and every contended lock would be reported as a race. The same holds for
// swift_once, by which globals are made, where the Swift library is linked statically. The linker leads these functions
// through here (--wrap); nothing is hidden from the sanitizer.

#include <stdint.h>

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context))

void __tsan_acquire(void *address);
void __tsan_release(void *address);

// Synchronization._MutexHandle._lockSlow(UInt32) and ._unlockSlow()
SWIFT void realLockSlow(uint32_t owner, SELF void *lock) __asm__("__real_$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
SWIFT void realUnlockSlow(SELF void *lock) __asm__("__real_$s15Synchronization12_MutexHandleV11_unlockSlowyyF");
SWIFT void lockSlow(uint32_t owner, SELF void *lock) __asm__("__wrap_$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
SWIFT void unlockSlow(SELF void *lock) __asm__("__wrap_$s15Synchronization12_MutexHandleV11_unlockSlowyyF");

SWIFT void lockSlow(uint32_t owner, SELF void *lock) {
    realLockSlow(owner, lock);
    __tsan_acquire(lock);
}

SWIFT void unlockSlow(SELF void *lock) {
    __tsan_release(lock);
    realUnlockSlow(lock);
}

// The runtime's once: whoever returns from it sees what the body has written.
typedef struct {
    void (*body)(void *);
    void *context;
    intptr_t *once;
} Once;

void __real_swift_once(intptr_t *once, void (*body)(void *), void *context);

static void runOnce(void *context) {
    Once *call = context;
    call->body(call->context);
    __tsan_release(call->once);
}

void __wrap_swift_once(intptr_t *once, void (*body)(void *), void *context) {
    Once call = {body, context, once};
    __real_swift_once(once, runOnce, &call);
    __tsan_acquire(once);
}

// A stack that can be left and come back to, on one thread of the operating system.
//
// Stacks come from a pool that lives as long as the library, so that a small launch costs no
// system call. Built with SIMT_ASAN or SIMT_TSAN, fibers announce themselves to the sanitizer
// that instruments the kernels. A switch orders no memory: what orders it must say so by `order`.

#pragma once
#include <cstddef>
#include <cstdint>
#if !(defined(__x86_64__) && defined(__ELF__)) && !defined(SIMT_UCONTEXT)
#define SIMT_UCONTEXT 1
#endif
#ifdef SIMT_UCONTEXT
#include <ucontext.h>
#endif

namespace simt {

class Fiber {
public:
    Fiber();
    ~Fiber();
    Fiber(const Fiber&) = delete;
    Fiber& operator=(const Fiber&) = delete;

    // The next resume() calls `entry`, which suspend()s for the last time instead of returning.
    void prepare(void (*entry)());

    // Run the fiber until it suspends itself. Called by who is no fiber.
    void resume();

    // Go back to who resumed; `last`: this stack will not be gone on with.
    void suspend(bool last);

    // To be called first on a new stack.
    static void entered();

private:
    char* stack_ = nullptr;
    void* stack_pointer_ = nullptr;
    [[maybe_unused]] void* sanitizer_ = nullptr;
#ifdef SIMT_UCONTEXT
    ucontext_t context_;
#endif
};

// To be called by who resumes, before the first fiber of a launch.
void begin_scheduling();

#ifdef SIMT_TSAN
extern "C" void __tsan_acquire(void* address);
extern "C" void __tsan_release(void* address);
inline void order_before(void* place) { __tsan_release(place); }
inline void order_after(void* place) { __tsan_acquire(place); }
#else
inline void order_before(void*) {}
inline void order_after(void*) {}
#endif

}  // namespace simt

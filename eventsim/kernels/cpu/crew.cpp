#include "crew.hpp"

#include <stdlib.h>
#include <string.h>

#include <new>

#include "calls.hpp"
#include "rounding.hpp"
#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <pthread.h>
#include <sched.h>
#endif

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

int64_t read(const int64_t& x) { return __atomic_load_n(&x, __ATOMIC_ACQUIRE); }
void write(int64_t& x, int64_t value) { __atomic_store_n(&x, value, __ATOMIC_RELEASE); }

// Where threads sleep until something holds.
class Bell {
#if defined(_WIN32)
    SRWLOCK held = SRWLOCK_INIT;
    CONDITION_VARIABLE rung = CONDITION_VARIABLE_INIT;
    void lock() { AcquireSRWLockExclusive(&held); }
    void unlock() { ReleaseSRWLockExclusive(&held); }
    void sleep() { SleepConditionVariableSRW(&rung, &held, INFINITE, 0); }
    void wake() { WakeConditionVariable(&rung); }
#else
    pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t rung = PTHREAD_COND_INITIALIZER;
    void lock() { pthread_mutex_lock(&held); }
    void unlock() { pthread_mutex_unlock(&held); }
    void sleep() { pthread_cond_wait(&rung, &held); }
    void wake() { pthread_cond_signal(&rung); }
#endif
    int64_t sleepers = 0;

  public:
    // Of what is written before the bell is rung and who sleeps, either is seen by the other side.
    template <class Holds> void sleep_until(const Holds& holds) {
        lock();
        __atomic_add_fetch(&sleepers, 1, __ATOMIC_SEQ_CST);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        while (!holds()) sleep();
        __atomic_sub_fetch(&sleepers, 1, __ATOMIC_SEQ_CST);
        unlock();
    }
    // Wakes so many at most.
    void ring(int64_t most) {
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        int64_t n = read(sleepers);
        if (n == 0) return;
        lock();  // who has counted himself, and found that it does not hold, sleeps now
        unlock();
        if (n > most) n = most;
        for (; n > 0; --n) wake();
    }
};

}  // namespace

struct Crew {
  private:
    static constexpr int64_t PARTS = (1 << 16) - 1;
    static constexpr int SPINS = 2000;  // some 20 to 50 us
    static constexpr int YIELDS = 50;   // other threads come first; then who waits sleeps

    // What is written often lies apart. The ticket is the work's number and, below, how many of its parts are not
    // claimed.
    alignas(64) int64_t ticket = 0;
    alignas(64) int64_t done = 0;
    alignas(64) void (*part)(void*, int64_t) = nullptr;
    void* work = nullptr;
    int64_t number = 0;
    alignas(64) Bell begun;
    alignas(64) Bell ended;

    // A part that nobody has claimed, or -1. Of who claims it the work is the leader's, who waits for him.
    int64_t claim() {
        int64_t seen = read(ticket);
        while ((seen & PARTS) > 0)
            if (__atomic_compare_exchange_n(&ticket, &seen, seen - 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
                return (seen & PARTS) - 1;
        return -1;
    }

    static void wait(int spins) {
        if (spins > SPINS) {
#if defined(_WIN32)
            SwitchToThread();
#else
            sched_yield();
#endif
            return;
        }
#if defined(__x86_64__)
        __builtin_ia32_pause();
#endif
    }

  public:
    void run(void (*f)(void*, int64_t), void* with, int64_t n) {
        part = f;
        work = with;
        write(done, 0);
        write(ticket, (++number << 16) + n);
        begun.ring(n - 1);
        int64_t mine = 0;
        for (int64_t p; (p = claim()) >= 0; ++mine) f(with, p);
        const auto is_done = [&] { return read(done) == n - mine; };
        for (int spins = 0; !is_done(); ++spins) {
            if (spins > SPINS + YIELDS) return ended.sleep_until(is_done);
            wait(spins);
        }
    }

    // For ever.
    void serve() {
        const eventsim::DefaultRounding rounding;
        for (;;) {
            const int64_t p = claim();
            if (p < 0) {
                begun.sleep_until([&] { return (read(ticket) & PARTS) > 0; });
                continue;
            }
            part(work, p);
            __atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
            ended.ring(1);
        }
    }
};

extern "C" void crew_run(Crew* crew, void (*part)(void*, int64_t), void* work, int64_t n) {
    crew->run(part, work, n);
}

namespace {

using Kernel = int(int level, const void* call);

// A call of a kernel, whose tasks come first in it, in so many parts.
struct Shared {
    Kernel* const kernel;
    const int level;
    const char* const call;
    const int64_t size, parts;
    int status;

    static void run(void* self, int64_t p) { ((Shared*)self)->run(p); }
    void run(int64_t p) {
        char* const own = (char*)__builtin_alloca(size);
        memcpy(own, call, size);
        auto& tasks = *(eventsim::Tasks*)own;
        const int64_t n = tasks.n, low = n * p / parts;
        tasks.todo += low;
        tasks.n = n * (p + 1) / parts - low;
        const int found = kernel(level, own);
        if (found != eventsim::DONE) __atomic_store_n(&status, found, __ATOMIC_RELAXED);
    }
};

}  // namespace

// A crew without threads, which lives as long as the process; null where there is no memory.
EXPORT Crew* eventsim_crew() {
    char* const room = (char*)malloc(sizeof(Crew) + alignof(Crew));
    if (!room) return nullptr;
    const uintptr_t beyond = (uintptr_t)room % alignof(Crew);
    return new (room + alignof(Crew) - beyond) Crew;
}

// The calling thread is one of the crew from now on.
EXPORT void eventsim_serve(Crew* crew) { crew->serve(); }

// The tasks of a call of `size` bytes are dealt to so many parts, which the crew runs. Returns what a kernel does.
EXPORT int eventsim_share(Crew* crew, Kernel* kernel, int level, const char* call, int64_t size, int64_t parts) {
    Shared shared = {kernel, level, call, size, parts, eventsim::DONE};
    crew_run(crew, Shared::run, &shared, parts);
    return shared.status;
}

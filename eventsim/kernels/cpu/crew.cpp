#include "crew.hpp"

#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <new>

#include "clock.hpp"
#include "rounding.hpp"
#include "watch.hpp"
#if !defined(_WIN32)
#include <pthread.h>
#include <sched.h>
#endif

#define EXPORT extern "C" __attribute__((visibility("default")))

using eventsim::now;
using eventsim::spent;

namespace {

int64_t read(const int64_t& x) { return __atomic_load_n(&x, __ATOMIC_ACQUIRE); }
void write(int64_t& x, int64_t value) { __atomic_store_n(&x, value, __ATOMIC_RELEASE); }

// A bell: threads sleep until a condition holds.
class Bell {
#if defined(_WIN32)
    SRWLOCK held = SRWLOCK_INIT;
    CONDITION_VARIABLE rung = CONDITION_VARIABLE_INIT;
    void lock() { AcquireSRWLockExclusive(&held); }
    void unlock() { ReleaseSRWLockExclusive(&held); }
    void sleep() { SleepConditionVariableSRW(&rung, &held, INFINITE, 0); }
    bool sleep_for(int64_t ns) { return SleepConditionVariableSRW(&rung, &held, DWORD(ns / 1000000), 0); }
    void wake() { WakeConditionVariable(&rung); }
#else
    pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t rung = PTHREAD_COND_INITIALIZER;
    void lock() { pthread_mutex_lock(&held); }
    void unlock() { pthread_mutex_unlock(&held); }
    void sleep() { pthread_cond_wait(&rung, &held); }
    bool sleep_for(int64_t ns) {  // by the clock that every system's wait takes, which may be set
        const int64_t until = eventsim::ns_of(CLOCK_REALTIME) + ns;
        const timespec at = {time_t(until / 1000000000), long(until % 1000000000)};
        return pthread_cond_timedwait(&rung, &held, &at) == 0;
    }
    void wake() { pthread_cond_signal(&rung); }
#endif
    int64_t sleepers = 0;

  public:
    // Sleep until the condition holds, or at most `most` ns unless 0. No wake-up is lost: either the ringer sees
    // the sleeper, or the sleeper sees what was written before the bell was rung.
    template <class Holds> void sleep_until(const Holds& holds, int64_t most = 0) {
        lock();
        __atomic_add_fetch(&sleepers, 1, __ATOMIC_SEQ_CST);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        for (bool goes = true; goes && !holds();) {
            if (most > 0) goes = sleep_for(most);
            else sleep();
        }
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
    static constexpr int64_t MUCH = 10;  // that part of it
    static constexpr int64_t SPLIT = 8;  // that part of it is what parts cost that nobody else runs
    static constexpr int64_t LEAST_ALONE = 64, MOST_ALONE = 1024;  // times what was lost
    static constexpr int64_t NAP = 50 * 1000 * 1000;  // ns that who is watched sleeps at a time

    // Fields that are written often lie apart. The ticket is the work's number and, in its low bits, the number
    // of parts not claimed.
    alignas(64) int64_t ticket = 0;
    alignas(64) int64_t done = 0;
    int64_t lost = 0;  // ns of parts in which who ran them had no processor
    alignas(64) void (*part)(void*, int64_t) = nullptr;
    void* work = nullptr;
    int64_t number = 0;
    int64_t expects_more = 0;
    int64_t alone = 0, alone_until = 0;  // ns: for how long, and until when, the leader runs all alone
    alignas(64) Bell begun;
    alignas(64) Bell ended;

    // Claim a part of the work, or -1 if none is left. The leader waits until every claimed part is done.
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

    // After a large loss, relative to the time that the leader worked, the leader runs alone for a while; for
    // longer after repeated losses.
    void judge(int64_t loss, int64_t worked) {
        if (loss <= worked / MUCH) {
            alone /= 2;
            return;
        }
        alone = std::clamp(2 * alone, LEAST_ALONE * loss, MOST_ALONE * loss);
        alone_until = now() + alone;
    }

  public:
    // Whether the leader runs alone, since sharing cost more than it gained a moment ago.
    bool is_alone() const { return alone_until > 0 && now() < alone_until; }

    // Run f(with, p) for all parts p < n. While the leader waits for threads it reports to the watch, if any.
    void run(void (*f)(void*, int64_t), void* with, int64_t n, Watch* watch = nullptr) {
        const int64_t began = now();
        part = f;
        work = with;
        write(lost, 0);
        write(done, 0);
        write(ticket, (++number << 16) + n);
        begun.ring(n - 1);
        int64_t mine = 0;
        for (int64_t p; (p = claim()) >= 0; ++mine) f(with, p);
        const int64_t worked = now() - began;
        const auto is_done = [&] { return read(done) == n - mine; };
        for (int spins = 0; !is_done(); ++spins) {
            if (spins <= SPINS + YIELDS) {
                wait(spins);
                continue;
            }
            ended.sleep_until(is_done, watch ? NAP : 0);
            if (watch) eventsim_goes_on(watch, 0.0);
        }
        const int64_t waited = now() - began - worked;
        judge(mine < n ? std::min(read(lost), waited) : worked / SPLIT, worked);
    }

    void expect(int more) { write(expects_more, more); }

    // The endless loop of a thread of the crew: claim parts, run them, sleep.
    void serve() {
        const eventsim::DefaultRounding rounding;
        for (int spins = 0;; ++spins) {
            const int64_t p = claim();
            if (p >= 0) {
                const int64_t began = now(), used = spent();
                part(work, p);
                __atomic_add_fetch(&lost, (now() - began) - (spent() - used), __ATOMIC_RELAXED);
                __atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
                ended.ring(1);
            } else if (read(expects_more) && spins < SPINS + YIELDS) {
                wait(spins);
                continue;
            } else {
                begun.sleep_until([&] { return (read(ticket) & PARTS) > 0; });
            }
            spins = 0;
        }
    }
};

EXPORT void eventsim_crew_run(Crew* crew, void (*part)(void*, int64_t), void* work, int64_t n) {
    if (!crew->is_alone()) return crew->run(part, work, n);
    for (int64_t p = n; p-- > 0;) part(work, p);
}
EXPORT void eventsim_crew_expect(Crew* crew, int more) { crew->expect(more); }

namespace {

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

// Whether the leader would run all parts of a call alone now.
EXPORT int eventsim_is_alone(const Crew* crew) { return crew->is_alone(); }

EXPORT int eventsim_share(Crew* crew, Kernel* kernel, int level, const char* call, int64_t size, int64_t parts) {
    if (crew->is_alone()) return kernel(level, call);
    Shared shared = {kernel, level, call, size, parts, eventsim::DONE};
    crew->run(Shared::run, &shared, parts, (Watch*)(intptr_t)((const eventsim::Tasks*)call)->watch);
    return shared.status;
}

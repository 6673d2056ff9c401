// Where threads meet that run the parts of a window, window after window.
//
// Who comes first leads: he says what there is to do. A part is run by whoever claims it, so that one thread
// alone can run all, and nobody waits for a thread that has claimed nothing.
//
// A thread that has claimed a part and lost its processor to another program holds up all for a time slice,
// as long as tens of windows. So who leads, and waited more than twice as long as he worked, runs the next
// windows alone, many if it happens again soon. Meanwhile the others sleep.
#pragma once
#include <stdint.h>
#if defined(_WIN32)
extern "C" __declspec(dllimport) int __stdcall SwitchToThread();
extern "C" __declspec(dllimport) void __stdcall Sleep(unsigned long);
#else
#include <sched.h>
#include <unistd.h>
#endif

namespace eventsim {

class Meeting {
    // Each in a line of the cache. The ticket is the window's number and, below, how many of its parts are
    // not claimed; the work an address, known with the first ticket.
    enum { LED = 0, WORK = 1, TICKET = 8, DONE = 16 };
    static constexpr int64_t PARTS = (1 << 16) - 1, OVER = -1;
    static constexpr int SPINS = 2000;  // some 20 to 50 us; then other threads come first
    static constexpr int YIELDS = 50;   // so often; then who has nothing to do sleeps
    static constexpr int64_t LEAST_ALONE = 64, MOST_ALONE = 1024;  // windows
    static constexpr uint64_t LONG_WAIT = 2;  // times the leader's work: a part that is claimed late takes one

    int64_t* const place;
    int64_t window = 0;
    int64_t alone = 0, next_alone = LEAST_ALONE;  // windows still to be run alone; from the next long wait on

    int64_t read(int what) const { return __atomic_load_n(place + what, __ATOMIC_ACQUIRE); }
    void write(int what, int64_t x) const { __atomic_store_n(place + what, x, __ATOMIC_RELEASE); }

    // A part that nobody has claimed, or -1; whether all is over.
    int64_t claim(bool& over) const {
        int64_t ticket = read(TICKET);
        over = ticket == OVER;
        while (!over && (ticket & PARTS) > 0)
            if (__atomic_compare_exchange_n(place + TICKET, &ticket, ticket - 1, false, __ATOMIC_ACQ_REL,
                                            __ATOMIC_ACQUIRE))
                return (ticket & PARTS) - 1;
            else
                over = ticket == OVER;
        return -1;
    }

    // Ticks of a clock of even pace, or 0 where there is none at hand: then nobody is thought to wait long.
    static uint64_t ticks() {
#if defined(__x86_64__)
        return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
        uint64_t now;
        asm volatile("mrs %0, cntvct_el0" : "=r"(now));
        return now;
#else
        return 0;
#endif
    }

    // A little; one who `idles` sleeps in the end.
    static void wait(int& spins, bool idles) {
        if (++spins < SPINS) {
#if defined(__x86_64__)
            __builtin_ia32_pause();
#endif
            return;
        }
        const bool sleeps = idles && spins > SPINS + YIELDS;
        if (sleeps) spins = SPINS + YIELDS;
#if defined(_WIN32)
        if (sleeps) Sleep(1);
        else SwitchToThread();
#else
        if (sleeps) usleep(100);
        else sched_yield();
#endif
    }

  public:
    static constexpr int SIZE = 24;  // numbers that it needs, zeros at first

    explicit Meeting(int64_t* place) : place(place) {}

    bool leads() const { return __atomic_exchange_n(place + LED, 1, __ATOMIC_ACQ_REL) == 0; }

    // The leader: work.run_part(p) for all n parts, by those who are here.
    template <class W> void run(W& work, int64_t n) {
        if (alone > 0) {
            --alone;
            for (int64_t p = n; p-- > 0;) work.run_part(p);
            return;
        }
        const uint64_t began = ticks();
        write(WORK, (int64_t)(intptr_t)&work);
        write(DONE, 0);
        write(TICKET, (++window << 16) + n);
        bool over;
        for (int64_t p; (p = claim(over)) >= 0;) run_one(work, p);
        const uint64_t worked = ticks();
        for (int spins = 0; read(DONE) < n;) wait(spins, false);
        if (ticks() - worked > LONG_WAIT * (worked - began)) {
            alone = next_alone;
            next_alone = MOST_ALONE;
        } else if (next_alone > LEAST_ALONE) {
            --next_alone;
        }
    }
    void end() const { write(TICKET, OVER); }

    // The others, until the end.
    template <class W> void help() const {
        int spins = 0;
        for (bool over = false;;) {
            const int64_t p = claim(over);
            if (over) return;
            if (p >= 0) {
                run_one(*(W*)(intptr_t)read(WORK), p);
                spins = 0;
            } else {
                wait(spins, true);
            }
        }
    }

  private:
    template <class W> void run_one(W& work, int64_t p) const {
        work.run_part(p);
        __atomic_fetch_add(place + DONE, 1, __ATOMIC_ACQ_REL);
    }
};

}  // namespace eventsim

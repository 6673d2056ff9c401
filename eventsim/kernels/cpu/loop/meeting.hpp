// Where threads meet that run the parts of a window, window after window.
//
// Who comes first leads: he says what there is to do. A part is run by whoever claims it, so that one thread
// alone can run all, and nobody waits for a thread that has claimed nothing.
#pragma once
#include <stdint.h>
#if defined(_WIN32)
extern "C" __declspec(dllimport) int __stdcall SwitchToThread();
#else
#include <sched.h>
#endif

namespace eventsim {

class Meeting {
    // Each in a line of the cache. The ticket is the window's number and, below, how many of its parts are
    // not claimed; the work an address, known with the first ticket.
    enum { LED = 0, WORK = 1, TICKET = 8, DONE = 16 };
    static constexpr int64_t PARTS = (1 << 16) - 1, OVER = -1;
    static constexpr int SPINS = 2000;  // some 20 to 50 us; then other threads come first

    int64_t* const place;
    int64_t window = 0;

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

    static void wait(int& spins) {
        if (++spins < SPINS) {
#if defined(__x86_64__)
            __builtin_ia32_pause();
#endif
            return;
        }
#if defined(_WIN32)
        SwitchToThread();
#else
        sched_yield();
#endif
    }

  public:
    static constexpr int SIZE = 24;  // numbers that it needs, zeros at first

    explicit Meeting(int64_t* place) : place(place) {}

    bool leads() const { return __atomic_exchange_n(place + LED, 1, __ATOMIC_ACQ_REL) == 0; }

    // The leader: work.run_part(p) for all n parts, by those who are here.
    template <class W> void run(W& work, int64_t n) {
        write(WORK, (int64_t)(intptr_t)&work);
        write(DONE, 0);
        write(TICKET, (++window << 16) + n);
        bool over;
        for (int64_t p; (p = claim(over)) >= 0;) run_one(work, p);
        for (int spins = 0; read(DONE) < n;) wait(spins);
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
                wait(spins);
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

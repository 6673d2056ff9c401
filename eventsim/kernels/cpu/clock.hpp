// Clocks in ns: wall-clock time, which never goes back, and the processor time of a thread.
#pragma once
#include <stdint.h>
#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#else
#include <time.h>
#endif

namespace eventsim {

#if defined(_WIN32)
inline int64_t now() {
    LARGE_INTEGER ticks, per_s;
    QueryPerformanceCounter(&ticks);
    QueryPerformanceFrequency(&per_s);
    return int64_t(double(ticks.QuadPart) * 1e9 / double(per_s.QuadPart));
}
inline int64_t spent() { return now(); }  // there is no such clock
#else
inline int64_t ns_of(clockid_t clock) {
    timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * int64_t(1000000000) + t.tv_nsec;
}
inline int64_t now() { return ns_of(CLOCK_MONOTONIC); }
inline int64_t spent() { return ns_of(CLOCK_THREAD_CPUTIME_ID); }
#endif

}  // namespace eventsim

// Calls of kernels from Python, which handle signals and report progress: watch.hpp.
//
// A call leaves Python's lock to others. Some ten times a second it takes it again, lets handlers of signals run,
// and calls a function of Python. What either raises is raised by the call, which stops.
#include "watch.hpp"

#include "clock.hpp"
#include "crew.hpp"
#if !defined(_WIN32)
#include <pthread.h>
#endif

#define EXPORT extern "C" __attribute__((visibility("default")))

// Functions of Python, of its stable interface: compiled/library.py.
struct Interpreter {
    void* (*leave)();
    void (*enter)(void* thread);
    int (*see_to_signals)();
    void* (*call)(void* function, ...);
    void (*forget)(void* object);
};

namespace {

#if defined(_WIN32)
using Thread = DWORD;
Thread me() { return GetCurrentThreadId(); }
bool is_me(Thread thread) { return thread == GetCurrentThreadId(); }
#else
using Thread = pthread_t;
Thread me() { return pthread_self(); }
bool is_me(Thread thread) { return pthread_equal(thread, pthread_self()); }
#endif

// ns: at some ten times a second a person sees no steps, and finds that Ctrl-C is answered.
constexpr int64_t PERIOD = 100 * 1000 * 1000;

}  // namespace

struct Watch {
  private:
    const Interpreter& python;
    void* const function;  // called without arguments; null for none
    double* const done;    // what was run, ms of all samples, is added; null where nobody asks
    const Thread caller = me();
    void* thread;
    int64_t due = eventsim::now() + PERIOD;
    int stopped = 0;

    void add(double ms) {
        double before, after;
        __atomic_load(done, &before, __ATOMIC_RELAXED);
        do after = before + ms;
        while (!__atomic_compare_exchange(done, &before, &after, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    }

    // False where something was raised.
    bool tell() {
        if (!function) return true;
        void* const found = python.call(function, (void*)nullptr);
        if (found) python.forget(found);
        return found;
    }

    void look() {
        python.enter(thread);
        if (python.see_to_signals() != 0 || !tell()) __atomic_store_n(&stopped, 1, __ATOMIC_RELAXED);
        thread = python.leave();
        due = eventsim::now() + PERIOD;
    }

    bool goes() const { return !__atomic_load_n(&stopped, __ATOMIC_RELAXED); }

  public:
    Watch(const Interpreter& python, void* function, double* done)
        : python(python), function(function), done(done), thread(python.leave()) {}
    ~Watch() { python.enter(thread); }
    Watch(const Watch&) = delete;

    bool goes_on(double ms) {
        if (done && ms != 0.0) add(ms);
        if (goes() && is_me(caller) && eventsim::now() >= due) look();
        return goes();
    }
};

extern "C" int eventsim_goes_on(Watch* watch, double ms) { return watch->goes_on(ms); }

// Runs a call of `size` bytes, whose tasks come first in it, in so many parts, which the crew shares; without one
// all by itself. Python's lock is held before and after. Where nobody is `asked`, signals wait. Returns what a
// kernel does; what Python has raised meanwhile stays raised.
EXPORT int eventsim_run(const Interpreter* python, int asked, void* function, double* done, Kernel* kernel, int level,
                        char* call, int64_t size, Crew* crew, int64_t parts) {
    Watch watch(*python, function, done);
    if (asked) ((eventsim::Tasks*)call)->watch = (int64_t)(intptr_t)&watch;
    return crew ? eventsim_share(crew, kernel, level, call, size, parts) : kernel(level, call);
}

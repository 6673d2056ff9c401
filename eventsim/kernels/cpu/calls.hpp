// Calls: the arguments of every kernel, made of roles. A call begins with its tasks, which the caller
// deals to threads. Structs of both are declared in eventsim/compiled/roles*.py, from which build.py
// writes declared.hpp: they, KERNELS of those with a type of the state, COMMON_KERNELS of the others.
//
// To add a kernel  its call there, in the module of its room; an #include in level.cpp of the header that
//                  defines eventsim::NAME<V>(const CALL<Real<V>>&), V a vector. If nothing that it is
//                  given has the type of the state, it is compiled once: an #include in common.cpp,
//                  eventsim::NAME(const CALL&). Of call NoSuchCall the NAME is no_such_call.
// Returned         0, or NO_MEMORY: nothing was done.
#pragma once
#include <stdint.h>

#include <declared.hpp>

namespace eventsim {

enum { DONE, NO_MEMORY, NO_SUCH_LEVEL };

// The most entries of a sample among some tasks; those of sample s are offsets[s] .. offsets[s + 1].
inline int64_t most_of(const Tasks& tasks, const int64_t* offsets) {
    int64_t most = 0;
    for (int64_t i = 0; i < tasks.n; ++i) {
        const int64_t* const at = offsets + tasks.todo[i] / tasks.n_blocks;
        most = at[1] - at[0] > most ? at[1] - at[0] : most;
    }
    return most;
}

}  // namespace eventsim

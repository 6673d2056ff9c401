// What every kernel is called with, made of roles; a call begins with its tasks, which the caller
// deals to threads.
//
// To add a kernel  its struct here and a line of KERNELS; an #include in level.cpp of the header that
//                  defines eventsim::NAME<V>(const CALL<Real<V>>&), V a vector; a line in library.cpp
//                  for the struct, and one for each new role; the twins of these structs in
//                  eventsim/engine/cpu/roles.py. Where one is missing, compiling or loading fails.
// Returned         0, or NO_MEMORY: nothing was done.
#pragma once
#include "roles.hpp"

namespace eventsim {

enum { DONE, NO_MEMORY, NO_SUCH_LEVEL };

template <class R> struct DenseForward {
    Tasks tasks;
    Events events;
    Weights<R> weights;
    Neurons<R> neurons;
    Standing<R> begin, end;
    Spikes spikes;
};

template <class R> struct DenseBackward {
    Tasks tasks;
    Events events;
    Weights<R> weights;
    Neurons<R> neurons;
    Tape tape;
    WayBack<R> way;
    Found<R> found;
};

}  // namespace eventsim

// KERNEL(NAME, CALL) for each of them.
#define KERNELS(KERNEL)                  \
    KERNEL(dense_forward, DenseForward)  \
    KERNEL(dense_backward, DenseBackward)

// What the kernels of layers are called with whose neurons have events of their own: ../calls.hpp.
#pragma once
#include "roles.hpp"

namespace eventsim {

// Tasks are parts of the rows.
struct FindBounds {
    Tasks tasks;
    Bounds bounds;
};

// Tasks are blocks of neurons in samples.
template <class R> struct FaninForward {
    Tasks tasks;
    Sent sent;
    Wires wires;
    Neurons<R> neurons;
    Returns<R> returns;
    Standing<R> begin, end;
    Spikes spikes;
};

// Tasks are parts of the neurons, each of so many of the tasks' n_blocks.
template <class R> struct FaninBackward {
    Tasks tasks;
    Sent sent;
    Wires wires;
    Neurons<R> neurons;
    Returns<R> returns;
    Tape tape;
    Carried<R> carried;
    WiresBack<R> found;
};

}  // namespace eventsim

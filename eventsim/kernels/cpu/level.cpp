// The kernels of one instruction set, whose name is KERNEL_LEVEL: v3, v4 or neon, for states of
// KERNEL_TYPE: float or double.
#define JOIN_(name, level) name##_##level
#define JOIN(name, level) JOIN_(name, level)
// No function of one level may stand for that of another when they are linked.
#define eventsim JOIN(eventsim, KERNEL_LEVEL)

#include "calls.hpp"
#include "dense/backward.hpp"
#include "dense/forward.hpp"
#include "fanin/backward.hpp"
#include "fanin/dense.hpp"
#include "fanin/dense_back.hpp"
#include "fanin/forward.hpp"
#include "linear/backward.hpp"
#include "linear/forward.hpp"
#include "linear/layer.hpp"
#include "linear/layer_back.hpp"
#include "linear/loop.hpp"
#include "linear/own_lists.hpp"
#include "linear/own_lists_back.hpp"
#include "loop/queue.hpp"
#include "loop/queue_back.hpp"
#include "loop/stretches.hpp"
#include "loop/summed.hpp"
#include "readout/apart.hpp"
#include "readout/largest.hpp"
#include "readout/shared.hpp"
#include "readout/voltages.hpp"

#define KERNEL_OF(name, type, Vector, Call)                                          \
    extern "C" int JOIN(name##_##type, KERNEL_LEVEL)(const void* call) {             \
        return eventsim::name<eventsim::Vector>(*(const eventsim::Call<type>*)call); \
    }
#define VECTOR_float Floats
#define VECTOR_double Doubles
#define KERNEL_TYPED(name, type, Call) KERNEL_OF(name, type, JOIN(VECTOR, type), Call)
#define KERNEL(name, Call) KERNEL_TYPED(name, KERNEL_TYPE, Call)

KERNELS(KERNEL)

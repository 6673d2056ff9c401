// Kernels without arguments in the type of the state: compiled once, for the least instruction set. The
// level that they are called with does not matter; library.cpp.
#include "calls.hpp"
#include "fanin/bounds.hpp"
#include "loop/tiles.hpp"
#include "mapping/grow.hpp"
#include "mapping/moves.hpp"
#include "mapping/place.hpp"
#include "mapping/swap.hpp"
#include "order/adapted.hpp"
#include "order/count.hpp"
#include "order/delays.hpp"
#include "order/link.hpp"
#include "order/merge.hpp"
#include "order/pack.hpp"
#include "poisson/draw.hpp"
#include "rounding.hpp"

#define KERNEL(name, Call)                                                  \
    extern "C" __attribute__((visibility("default"))) int eventsim_##name( \
        int, const void* call) {                                           \
        const eventsim::DefaultRounding rounding;                          \
        return eventsim::name(*(const eventsim::Call*)call);               \
    }

COMMON_KERNELS(KERNEL)

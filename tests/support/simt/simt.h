// Stand-in for CUDA's device headers: what kernel text sees when g++ compiles it for the host.
//
// Needs           simt.cpp, which schedules the threads and says what it checks.
// Use             #define SIMT_HOST, #include this, then the kernel text as it is.
// Not here        __shared__ variables: shared memory is dynamic, through SHARED_MEMORY(name).

#pragma once
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

#define __global__
#define __device__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__

namespace simt {

struct Index {
    unsigned x, y, z;
};

// What one CUDA thread sees of its place and of the block's last collective.
struct View {
    Index thread, block, block_size, grid_size;
    int lane;                // number in its warp
    unsigned char* shared;
    int any, all, count;     // result of the last __syncthreads_*
};

// A place in the kernel text: "file:line". Two places differ if their texts do.
using Site = const char*;

// The thread that runs.
extern View* view;

// Wait for all threads of the block.
void barrier(Site site, bool predicate);

// Wait for the lanes of `mask`; the value of each lane, by lane. `orders_memory`: __syncwarp.
const uint64_t* exchange(unsigned mask, uint64_t value, Site site, bool orders_memory);

// Give the launch up with a message.
[[noreturn]] void give_up(const char* message, Site site);

// How a kernel is started; `fibers` false only for kernels without barriers and collectives.
// `flush`: denormal numbers are zero, in what operations take and give (x86-64 only).
struct Launch {
    Index grid, block;
    uint64_t shared_bytes, seed;
    int fibers, flush;
};

// Runs `thread(arguments)` once per CUDA thread; nullptr, or a message.
const char* run(const Launch& launch, void (*thread)(const unsigned char*),
                const unsigned char* arguments);

// Argument `slot` of a kernel; every argument has eight bytes.
template <class T>
T argument(const unsigned char* arguments, int slot) {
    static_assert(sizeof(T) <= 8);
    T value;
    std::memcpy(&value, arguments + 8 * slot, sizeof value);
    return value;
}

template <class To, class From>
To bits_as(From from) {
    static_assert(sizeof(To) == sizeof(From));
    To to;
    std::memcpy(&to, &from, sizeof to);
    return to;
}

template <class T>
uint64_t packed(T value) {
    static_assert(sizeof(T) <= 8);
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof value);
    return bits;
}

// The value of another lane; its own where `from` is no lane of the warp.
template <class T>
T shuffle(unsigned mask, T value, int from, Site site) {
    const uint64_t* values = exchange(mask, packed(value), site, false);
    if (from < 0 || from > 31) return value;
    if (!(mask >> from & 1)) give_up("a shuffle reads a lane outside its mask", site);
    std::memcpy(&value, &values[from], sizeof value);
    return value;
}

inline unsigned ballot(unsigned mask, bool predicate, Site site) {
    const uint64_t* values = exchange(mask, predicate, site, false);
    unsigned votes = 0;
    for (int lane = 0; lane < 32; ++lane)
        if ((mask >> lane & 1) && values[lane]) votes |= 1u << lane;
    return votes;
}

inline void sync_warp(Site site, unsigned mask = 0xffffffffu) { exchange(mask, 0, site, true); }

}  // namespace simt

#define SIMT_TEXT_(x) #x
#define SIMT_TEXT(x) SIMT_TEXT_(x)
#define SIMT_SITE (__FILE__ ":" SIMT_TEXT(__LINE__))

#define SHARED_MEMORY(name) unsigned char* const name = simt::view->shared

#define threadIdx (simt::view->thread)
#define blockIdx (simt::view->block)
#define blockDim (simt::view->block_size)
#define gridDim (simt::view->grid_size)
#define warpSize 32

#define __syncthreads() simt::barrier(SIMT_SITE, false)
#define __syncthreads_or(p) (simt::barrier(SIMT_SITE, (p)), simt::view->any)
#define __syncthreads_and(p) (simt::barrier(SIMT_SITE, (p)), simt::view->all)
#define __syncthreads_count(p) (simt::barrier(SIMT_SITE, (p)), simt::view->count)
#define __syncwarp(...) simt::sync_warp(SIMT_SITE __VA_OPT__(,) __VA_ARGS__)
#define __shfl_sync(mask, x, lane) simt::shuffle((mask), (x), (int)(lane) & 31, SIMT_SITE)
#define __shfl_xor_sync(mask, x, bits) \
    simt::shuffle((mask), (x), simt::view->lane ^ (int)(bits), SIMT_SITE)
#define __shfl_down_sync(mask, x, by) \
    simt::shuffle((mask), (x), simt::view->lane + (int)(by), SIMT_SITE)
#define __shfl_up_sync(mask, x, by) \
    simt::shuffle((mask), (x), simt::view->lane - (int)(by), SIMT_SITE)
#define __ballot_sync(mask, p) simt::ballot((mask), (p), SIMT_SITE)
#define __any_sync(mask, p) (simt::ballot((mask), (p), SIMT_SITE) != 0)
#define __all_sync(mask, p) (simt::ballot((mask), (p), SIMT_SITE) == (mask))

#define __popc __builtin_popcount
#define __ffs __builtin_ffs

using std::isnan;
using std::max;
using std::min;

inline int __float_as_int(float x) { return simt::bits_as<int>(x); }
inline float __int_as_float(int x) { return simt::bits_as<float>(x); }
inline long long __double_as_longlong(double x) { return simt::bits_as<long long>(x); }
inline double __longlong_as_double(long long x) { return simt::bits_as<double>(x); }

// Of whole numbers, as the kernels use them; atomic for the thread sanitizer too.
template <class T>
T atomicAdd(T* place, T value) {
    return __atomic_fetch_add(place, value, __ATOMIC_RELAXED);
}

template <class T>
T atomicMin(T* place, T value) {
    T before = __atomic_load_n(place, __ATOMIC_RELAXED);
    while (value < before &&
           !__atomic_compare_exchange_n(place, &before, value, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED)) {
    }
    return before;
}

template <class T>
T __ldg(const T* place) {
    return *place;
}

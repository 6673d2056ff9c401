// Prelude of all kernels: the type of the state (REAL, set in front of this text), the formulas of
// eventsim/kernels/neuron, which stand in front as well, and shared memory. Host builds define
// SIMT_HOST and bring their own stand-ins for the device's functions.

using namespace eventsim;

#ifndef SIMT_HOST
#define SHARED_MEMORY(name) extern __shared__ __align__(16) unsigned char name[]
#endif

#define DEVICE [[maybe_unused]] static __device__ __forceinline__

// Number of the thread's block and of the thread, both one-dimensional.
#define BLOCK ((long long)blockIdx.x)
#define THREAD ((int)threadIdx.x)
#define GLOBAL_THREAD (BLOCK * (long long)blockDim.x + THREAD)

#define REAL_(x) ((REAL)(x))
#define NEVER 1e300  // ms, behind all samples

DEVICE REAL not_a_number() {
#if SINGLE
    return __int_as_float(0x7fc00000);
#else
    return __longlong_as_double(0x7ff8000000000000LL);
#endif
}

// Operators of a reduction.
struct Plus {
    template <class T> __device__ T operator()(T a, T b) const { return a + b; }
};
struct Smaller {
    template <class T> __device__ T operator()(T a, T b) const { return b < a ? b : a; }
};
struct Larger {
    template <class T> __device__ T operator()(T a, T b) const { return b > a ? b : a; }
};

// The values of a block's threads as one, by halves, for all of them. `scratch` has one place a thread, and
// is free afterwards; blockDim.x is a power of two.
template <class Join, class T> DEVICE T over_block(T value, T* scratch) {
    scratch[THREAD] = value;
    __syncthreads();
    for (int half = (int)blockDim.x / 2; half > 0; half /= 2) {
        if (THREAD < half) scratch[THREAD] = Join()(scratch[THREAD], scratch[THREAD + half]);
        __syncthreads();
    }
    const T all = scratch[0];
    __syncthreads();
    return all;
}

// The first of the numbers lo .. hi for which `behind` holds, and with it for all that follow; hi if it does
// for none.
template <class F> DEVICE long long first_where(long long lo, long long hi, const F& behind) {
    while (lo < hi) {
        const long long middle = lo + (hi - lo) / 2;
        if (behind(middle)) hi = middle; else lo = middle + 1;
    }
    return lo;
}

// The group of an item, of n of which offsets[k] is the first item.
template <class A> DEVICE int group_of(const A& offsets, int n, long long item) {
    return (int)first_where(1, n, [&](long long k) { return offsets[k] > item; }) - 1;
}

// An array that nobody writes to while a kernel runs: loads of it need no order.
template <class T> struct Given {
    const T* at;
    template <class I> __device__ T operator[](I i) const { return __ldg(at + i); }
    template <class I> __device__ Given operator+(I i) const { return {at + i}; }
    __device__ operator const T*() const { return at; }
};

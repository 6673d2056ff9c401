// What all kernels share: the type of the state (REAL, set in front of this text), the formulas of
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

// Room for the spikes of pairs [samples, neurons]: Buffers of spikes.py.
struct Buffers {
    const long long* start;
    const int* limit;  // below zero: the pair has been run already
    double* time;      // ms
    REAL* current;
    REAL* restart;
    int* count;        // also past the limit; -1 after a run-away
    double* reached;   // ms: time of the run-away
};

// Kernels in which threads meet well or badly: what the stand-in must run, and what it must refuse.
//
// Use             tests/support/simt/meetings.py; one block or more of any size, `out` has one place
//                 per thread, shared memory one float per thread of the block.

#define ALL 0xffffffffu
#define ME ((int)(blockIdx.x * blockDim.x + threadIdx.x))
#define MEET __syncthreads()

static __device__ __forceinline__ void meet_in_function() { MEET; }

struct Sum {
    float total;
    __device__ void add(float x) { total += x; }
};

// ---- without meetings: run one by one

extern "C" __global__ void alone(float* out) {
    Sum sum = {0.0f};
    sum.add((float)ME);
    out[ME] = sum.total;
}

extern "C" __global__ void in_turn(int* __restrict__ turn, float* __restrict__ out) {
    out[ME] = (float)turn[0]++;
}

extern "C" __global__ void past_the_end(float* out) { out[ME + 1] = 1.0f; }

extern "C" __global__ void overflow(const int x, float* out) { out[ME] = (float)(x + ME); }

extern "C" __global__ void not_a_whole_number(const float x, float* out) { out[ME] = (int)x; }

// ---- meetings as they should be

extern "C" __global__ void block_sum(float* out) {
    SHARED_MEMORY(memory);
    float* const part = (float*)memory;
    part[threadIdx.x] = (float)ME;
    __syncthreads();
    for (unsigned half = blockDim.x / 2; half > 0; half /= 2) {
        if (threadIdx.x < half) part[threadIdx.x] += part[threadIdx.x + half];
        __syncthreads();
    }
    out[ME] = part[0];
}

extern "C" __global__ void through_a_macro(float* out) {
    meet_in_function();
    out[ME] = 1.0f;
}

extern "C" __global__ void __launch_bounds__(64) votes(float* out) {
    const bool odd = threadIdx.x & 1;
    const int any = __syncthreads_or(threadIdx.x == 3), all = __syncthreads_and(threadIdx.x != 3);
    out[ME] = (float)(1000 * any + 100 * all + __syncthreads_count(odd));
}

extern "C" __global__ void warp_values(float* out) {
    const int lane = threadIdx.x & 31, value = 10 * lane;
    int sum = __shfl_sync(ALL, value, 5);                 // 50
    sum += __shfl_xor_sync(ALL, value, 1) - value;        // +-10
    sum += __shfl_down_sync(ALL, value, 30);              // 300 + value, or value for the last
    sum += __shfl_up_sync(ALL, value, 31);                // value, or 0 for the last
    const unsigned votes = __ballot_sync(ALL, lane > 28);
    sum += 1000 * __popc(votes) + 100000 * __ffs(votes);
    if (__any_sync(ALL, lane == 7) && !__any_sync(ALL, false)) sum += 10000000;
    out[ME] = (float)sum;
}

extern "C" __global__ void half_a_warp(float* out) {
    const unsigned mask = threadIdx.x % 32 < 16 ? 0x0000ffffu : 0xffff0000u;
    out[ME] = threadIdx.x % 32 < 16 ? __shfl_sync(mask, (float)ME, 3) : __shfl_sync(mask, -1.0f, 20);
}

extern "C" __global__ void warp_order(float* out) {
    SHARED_MEMORY(memory);
    float* const part = (float*)memory;
    part[threadIdx.x] = (float)ME;
    __syncwarp();
    out[ME] = part[threadIdx.x ^ 1];
}

extern "C" __global__ void unset_memory(float* out) {
    SHARED_MEMORY(memory);
    __syncthreads();
    out[ME] = ((float*)memory)[threadIdx.x];
}

// ---- meetings that fail

extern "C" __global__ void leaves_before_barrier(float* out) {
    if (threadIdx.x == 5) return;
    __syncthreads();
    out[ME] = 1.0f;
}

extern "C" __global__ void two_barriers(float* out) {
    if (threadIdx.x < 5)
        __syncthreads();
    else
        __syncthreads();
    out[ME] = 1.0f;
}

extern "C" __global__ void not_in_own_mask(float* out) {
    out[ME] = __shfl_sync(0x0000ffffu, 1.0f, 0);
}

extern "C" __global__ void reads_outside_mask(float* out) {
    if (threadIdx.x % 32 < 16) out[ME] = __shfl_sync(0x0000ffffu, 1.0f, 20);
}

extern "C" __global__ void leaves_before_shuffle(float* out) {
    if (threadIdx.x == 5) return;
    out[ME] = __shfl_sync(ALL, 1.0f, 0);
}

extern "C" __global__ void shuffle_against_barrier(float* out) {
    if (threadIdx.x % 32 == 5) __syncthreads();
    out[ME] = __shfl_sync(ALL, 1.0f, 0);
}

extern "C" __global__ void two_shuffles(float* out) {
    if (threadIdx.x % 32 < 16)
        out[ME] = __shfl_sync(ALL, 1.0f, 0);
    else
        out[ME] = __shfl_sync(ALL, 2.0f, 0);
}

// ---- races

extern "C" __global__ void no_barrier(float* out) {
    SHARED_MEMORY(memory);
    float* const part = (float*)memory;
    part[threadIdx.x] = (float)ME;
    out[ME] = part[threadIdx.x ^ 1];
}

extern "C" __global__ void shuffle_orders_nothing(float* out) {
    SHARED_MEMORY(memory);
    float* const part = (float*)memory;
    part[threadIdx.x] = (float)ME;
    const float other = __shfl_xor_sync(ALL, (float)ME, 1);
    out[ME] = part[threadIdx.x ^ 1] - other;
}

// The first thread may be at the second barrier before the second thread has left the first one.
extern "C" __global__ void race_between_barriers(float* out) {
    SHARED_MEMORY(memory);
    float* const part = (float*)memory;
    part[threadIdx.x] = 0.0f;
    __syncthreads();
    if (threadIdx.x == 0) part[0] = 1.0f;
    if (threadIdx.x == 1) out[ME] = part[0];
    __syncthreads();
}

extern "C" __global__ void blocks_meet_nowhere(float* out) {
    __syncthreads();
    if (threadIdx.x == 0) out[0] = (float)blockIdx.x;
    __syncthreads();
}

// Runs CUDA C kernels on the host: one block after the other, one fiber per CUDA thread.
//
// Checked here, and by no GPU:
//   - all threads of a block meet at the same __syncthreads, and none has left;
//   - a warp collective is reached by all lanes of its mask, at the same place, with the same mask;
//     a shuffle reads a lane of its mask;
//   - nobody waits for ever.
// Shared memory is filled with 0xFF (NaN, -1) before each block, and is as long as was asked for,
// so that the address sanitizer sees overruns. A seed other than 0 permutes the order of blocks,
// and of threads after every meeting: what depends on the order gives other results.
// Only __syncthreads and __syncwarp order memory, within their block: under the thread sanitizer
// races in shared and global memory show, between blocks too.

#include "simt.h"

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <numeric>
#include <string>
#include <vector>

#ifdef __x86_64__
#include <xmmintrin.h>
#endif

#include "fiber.h"

namespace simt {

View* view = nullptr;

namespace {

constexpr int WARP = 32;

// Thrown in a thread to unwind it, once the launch has failed.
struct Aborted {};

enum class State { READY, AT_BARRIER, AT_WARP, DONE };

// What orders memory between two meetings of the same threads, in turn: a thread that is already
// at the next meeting must not be ordered before one that has not yet left this one.
struct Turn {
    uint64_t places[2] = {};
    unsigned current = 0;
};

struct Thread {
    View view;
    Fiber* fiber;
    State state;
    Site site;
    unsigned mask;
    uint64_t value;
    const uint64_t* received;
    void* ordered_by;
};

struct Warp {
    uint64_t values[2][WARP] = {};
    Turn turn;
};

// What the threads of one block share. The thread sanitizer wants a new one for every block, at
// another address: a place used again would order the blocks, or look like a race between them.
struct Room {
    Room(size_t shared_bytes, size_t n_warps)
        : shared((unsigned char*)std::malloc(shared_bytes)), warps(n_warps) {}
    ~Room() { std::free(shared); }

    unsigned char* shared;
    std::vector<Warp> warps;
    Turn barrier;
    int votes = 0;
};

#ifdef SIMT_TSAN
constexpr bool ONE_ROOM = false;
#else
constexpr bool ONE_ROOM = true;
#endif

// A generator of permutations (xorshift).
class Shuffler {
public:
    explicit Shuffler(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15ull | 1) {}

    template <class T>
    void shuffle(std::vector<T>& items) {
        for (size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[next() % i]);
    }

private:
    uint64_t next() {
        state_ ^= state_ << 13;
        state_ ^= state_ >> 7;
        state_ ^= state_ << 17;
        return state_;
    }

    uint64_t state_;
};

std::vector<std::unique_ptr<Fiber>> pool;
std::string failure;
Thread* current = nullptr;

void fail(const char* message, const Thread& thread, Site site) {
    if (!failure.empty()) return;  // the first says what was wrong
    const View& v = thread.view;
    char text[400];
    snprintf(text, sizeof text, "%s (%s, block %u,%u,%u, thread %u,%u,%u)", message, site,
             v.block.x, v.block.y, v.block.z, v.thread.x, v.thread.y, v.thread.z);
    failure = text;
}

bool same(Site a, Site b) { return a == b || std::strcmp(a, b) == 0; }

// The threads of the block that runs.
class Block {
public:
    Block(const Launch& launch, void (*entry)(const unsigned char*), const unsigned char* arguments);

    // Run one block; `number` counts x first. Stops at the first failure.
    void run(size_t number);

    // Let who launched go on after all threads of all blocks.
    void finish() { order_after(&end_); }

    void thread_main();
    void wait_at_barrier(Site site, bool predicate);
    const uint64_t* wait_at_warp(unsigned mask, uint64_t value, Site site, bool orders_memory);

private:
    void place(size_t number);
    void clean_room();
    void run_one_by_one();
    void run_fibers();
    void run_ready_threads();
    void unwind();
    bool release_warps();
    bool warp_is_complete(Warp& warp, Thread& thread);
    void release_warp(Warp& warp, Thread& thread);
    bool release_barrier();

    Room& room() { return *rooms_.back(); }
    Warp& warp_of(const Thread& thread) { return room().warps[(&thread - &threads_[0]) / WARP]; }

    const Launch& launch_;
    void (*entry_)(const unsigned char*);
    const unsigned char* arguments_;
    std::vector<Thread> threads_;
    std::vector<Thread*> order_;
    std::vector<std::unique_ptr<Room>> rooms_;  // the last is that of the block that runs
    uint64_t end_ = 0;
    Shuffler shuffler_;
};

Block* running = nullptr;

Block::Block(const Launch& launch, void (*entry)(const unsigned char*),
             const unsigned char* arguments)
    : launch_(launch), entry_(entry), arguments_(arguments), shuffler_(launch.seed) {
    const Index size = launch.block;
    threads_.resize((size_t)size.x * size.y * size.z);
    if (launch.fibers)
        while (pool.size() < threads_.size()) pool.push_back(std::make_unique<Fiber>());
    for (size_t i = 0; i < threads_.size(); ++i) {
        Thread& thread = threads_[i];
        thread = {};
        thread.view.thread = {(unsigned)(i % size.x), (unsigned)(i / size.x % size.y),
                              (unsigned)(i / size.x / size.y)};
        thread.view.block_size = size;
        thread.view.grid_size = launch.grid;
        thread.view.lane = (int)(i % WARP);
        if (launch.fibers) thread.fiber = pool[i].get();
        order_.push_back(&thread);
    }
}

void Block::place(size_t number) {
    const Index grid = launch_.grid;
    for (Thread& thread : threads_)
        thread.view.block = {(unsigned)(number % grid.x), (unsigned)(number / grid.x % grid.y),
                             (unsigned)(number / grid.x / grid.y)};
}

void Block::clean_room() {
    const size_t n_warps = (threads_.size() + WARP - 1) / WARP;
    if (!ONE_ROOM || rooms_.empty())
        rooms_.push_back(std::make_unique<Room>(launch_.shared_bytes, n_warps));
    if (launch_.shared_bytes) std::memset(room().shared, 0xFF, launch_.shared_bytes);
    for (Thread& thread : threads_) thread.view.shared = room().shared;
}

void Block::run(size_t number) {
    place(number);
    clean_room();
    if (launch_.fibers) run_fibers();
    else run_one_by_one();
}

// Without meetings a thread can run to its end on the stack of who launched.
void Block::run_one_by_one() {
    if (launch_.seed) shuffler_.shuffle(order_);
    try {
        for (Thread* thread : order_) {
            current = thread;
            view = &thread->view;
            entry_(arguments_);
        }
    } catch (const Aborted&) {
    }
    current = nullptr;
    view = nullptr;
}

void fiber_main() {
    Fiber::entered();
    running->thread_main();
}

void Block::thread_main() {
    Thread& thread = *current;
    try {
        entry_(arguments_);
    } catch (const Aborted&) {
    }
    thread.state = State::DONE;
    order_before(&end_);
    thread.fiber->suspend(true);
    std::abort();
}

void Block::run_fibers() {
    for (Thread& thread : threads_) {
        thread.state = State::READY;
        thread.fiber->prepare(fiber_main);
    }
    for (;;) {
        run_ready_threads();
        if (!failure.empty()) return unwind();
        const bool done = std::all_of(threads_.begin(), threads_.end(), [](const Thread& thread) {
            return thread.state == State::DONE;
        });
        if (done) return;
        if (release_warps() || release_barrier()) continue;
        for (Thread& thread : threads_)
            if (thread.state != State::DONE)
                fail("deadlock: this meeting can never be complete", thread, thread.site);
    }
}

void Block::run_ready_threads() {
    if (launch_.seed) shuffler_.shuffle(order_);
    for (Thread* thread : order_) {
        if (thread->state != State::READY) continue;
        current = thread;
        view = &thread->view;
        thread->fiber->resume();
        current = nullptr;
        view = nullptr;
    }
}

// Every thread that waits is woken to throw, so that its stack is left in order.
void Block::unwind() {
    for (Thread& thread : threads_) {
        if (thread.state != State::DONE) thread.state = State::READY;
    }
    run_ready_threads();
}

void Block::wait_at_barrier(Site site, bool predicate) {
    Thread& thread = *current;
    thread.state = State::AT_BARRIER;
    thread.site = site;
    room().votes += predicate;
    void* const place = &room().barrier.places[room().barrier.current];
    order_before(place);
    thread.fiber->suspend(false);
    if (!failure.empty()) throw Aborted();
    order_after(place);
}

const uint64_t* Block::wait_at_warp(unsigned mask, uint64_t value, Site site, bool orders_memory) {
    Thread& thread = *current;
    Warp& warp = warp_of(thread);
    if (!(mask >> thread.view.lane & 1))
        give_up("a warp collective is called by a lane outside its mask", site);
    thread.state = State::AT_WARP;
    thread.site = site;
    thread.mask = mask;
    thread.value = value;
    void* const place = &warp.turn.places[warp.turn.current];
    if (orders_memory) order_before(place);
    thread.fiber->suspend(false);
    if (!failure.empty()) throw Aborted();
    if (orders_memory) order_after(place);
    return thread.received;
}

bool Block::release_warps() {
    bool released = false;
    for (Thread& thread : threads_) {
        if (thread.state != State::AT_WARP) continue;
        Warp& warp = warp_of(thread);
        if (!warp_is_complete(warp, thread)) continue;
        release_warp(warp, thread);
        released = true;
    }
    return released;
}

// Whether all lanes of the thread's mask have come; fails if one never can.
bool Block::warp_is_complete(Warp& warp, Thread& thread) {
    const size_t first = (size_t)(&warp - room().warps.data()) * WARP;
    for (size_t lane = 0; lane < WARP; ++lane) {
        if (!(thread.mask >> lane & 1)) continue;
        const Thread* other = first + lane < threads_.size() ? &threads_[first + lane] : nullptr;
        if (other == nullptr || other->state == State::DONE) {
            fail("a warp collective waits for a lane that has left, or does not exist", thread,
                 thread.site);
            return false;
        }
        if (other->state == State::AT_BARRIER) {
            fail("a warp collective waits for a lane at __syncthreads", thread, thread.site);
            return false;
        }
        if (other->state != State::AT_WARP) return false;
        if (other->mask != thread.mask || !same(other->site, thread.site)) {
            fail("divergence: lanes of one mask are at different warp collectives", thread,
                 thread.site);
            return false;
        }
    }
    return true;
}

void Block::release_warp(Warp& warp, Thread& thread) {
    const size_t first = (size_t)(&warp - room().warps.data()) * WARP;
    const unsigned mask = thread.mask;
    uint64_t* const values = warp.values[warp.turn.current];
    for (size_t lane = 0; lane < WARP; ++lane) {
        if (!(mask >> lane & 1)) continue;
        Thread& other = threads_[first + lane];
        values[lane] = other.value;
        other.received = values;
        other.state = State::READY;
    }
    warp.turn.current ^= 1;
}

bool Block::release_barrier() {
    Site site = nullptr;
    for (Thread& thread : threads_) {
        if (thread.state == State::AT_WARP) return false;
        if (thread.state != State::AT_BARRIER) continue;
        if (site != nullptr && !same(site, thread.site)) {
            fail("divergence: threads of a block are at different __syncthreads", thread,
                 thread.site);
            return true;
        }
        site = thread.site;
    }
    for (Thread& thread : threads_)
        if (thread.state == State::DONE) {
            fail("divergence: a thread has left before this __syncthreads", thread, site);
            return true;
        }
    for (Thread& thread : threads_) {
        thread.view.any = room().votes > 0;
        thread.view.all = room().votes == (int)threads_.size();
        thread.view.count = room().votes;
        thread.state = State::READY;
    }
    room().votes = 0;
    room().barrier.current ^= 1;
    return true;
}

}  // namespace

void barrier(Site site, bool predicate) {
    if (current->fiber == nullptr) give_up("a kernel taken to have no barrier has one", site);
    running->wait_at_barrier(site, predicate);
}

const uint64_t* exchange(unsigned mask, uint64_t value, Site site, bool orders_memory) {
    if (current->fiber == nullptr) give_up("a kernel taken to have no collective has one", site);
    return running->wait_at_warp(mask, value, site, orders_memory);
}

void give_up(const char* message, Site site) {
    fail(message, *current, site);
    throw Aborted();
}

namespace {

// The floating-point mode of one launch, which all its fibers keep.
class Mode {
public:
    explicit Mode(bool flush) {
#ifdef __x86_64__
        before_ = _mm_getcsr();
        if (flush) _mm_setcsr(before_ | FLUSH_RESULTS | FLUSH_ARGUMENTS);
#else
        if (flush) failure = "no mode of this processor that flushes denormal numbers is known";
#endif
    }
    ~Mode() {
#ifdef __x86_64__
        _mm_setcsr(before_);
#endif
    }

private:
    [[maybe_unused]] static constexpr unsigned FLUSH_RESULTS = 0x8000, FLUSH_ARGUMENTS = 0x0040;
    [[maybe_unused]] unsigned before_ = 0;
};

}  // namespace

const char* run(const Launch& launch, void (*thread)(const unsigned char*),
                const unsigned char* arguments) {
    static std::mutex one_at_a_time;
    const std::lock_guard<std::mutex> guard(one_at_a_time);
    failure.clear();
    const Mode mode(launch.flush);
    if (!failure.empty()) return failure.c_str();
    begin_scheduling();
    Block block(launch, thread, arguments);
    std::vector<size_t> numbers((size_t)launch.grid.x * launch.grid.y * launch.grid.z);
    std::iota(numbers.begin(), numbers.end(), (size_t)0);
    if (launch.seed) Shuffler(launch.seed + 1).shuffle(numbers);
    running = &block;
    for (size_t number : numbers) {
        block.run(number);
        if (!failure.empty()) break;
    }
    block.finish();
    running = nullptr;
    return failure.empty() ? nullptr : failure.c_str();
}

}  // namespace simt

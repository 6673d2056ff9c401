// Fibers: the switch in assembly on x86-64 ELF, ucontext elsewhere. Never instrumented itself.

#include "fiber.h"

#include <sys/mman.h>

#include <cstdlib>
#include <deque>
#include <new>

#ifdef SIMT_TSAN
extern "C" {
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
}
#endif
#ifdef SIMT_ASAN
extern "C" {
void __sanitizer_start_switch_fiber(void** fake_stack, const void* bottom, size_t size);
void __sanitizer_finish_switch_fiber(void* fake_stack, const void** bottom, size_t* size);
}
#endif

namespace simt {
namespace {

[[maybe_unused]] constexpr size_t GUARD = 4096;
#if defined(SIMT_ASAN)
constexpr size_t STACK = 256 * 1024;  // instrumented frames are large
#elif defined(SIMT_TSAN)
constexpr size_t STACK = 16 * 1024;  // a new one for every block's every thread
#else
constexpr size_t STACK = 64 * 1024;
#endif

// Who resumes fibers, while one of them runs.
struct Scheduler {
    void* stack_pointer = nullptr;
    [[maybe_unused]] void* sanitizer = nullptr;
    [[maybe_unused]] const void* bottom = nullptr;
    [[maybe_unused]] size_t size = 0;
#ifdef SIMT_UCONTEXT
    ucontext_t context;
#endif
};

Scheduler scheduler;

char* map_memory(size_t size) {
    void* place = mmap(nullptr, size, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED) throw std::bad_alloc();
    return (char*)place;
}

#ifdef SIMT_TSAN
// TSan forgets what a destroyed fiber did, and says nothing of a race that it cannot describe: so
// the fibers of the last blocks are kept.
constexpr size_t KEPT = 1024;
std::deque<void*> retired;

void retire(void* fiber) {
    retired.push_back(fiber);
    if (retired.size() <= KEPT) return;
    __tsan_destroy_fiber(retired.front());
    retired.pop_front();
}

// A stack that nobody has used: on one that was used before, the locals of two threads would race.
// They are cut from arenas; the arena before the last holds no stack of the block that runs.
constexpr size_t STACKS = 1024;  // not fewer than the threads of a block

char* new_stack() {
    static char* arenas[2] = {};
    static size_t n_used = STACKS;
    if (n_used == STACKS) {
        if (arenas[0]) munmap(arenas[0], STACKS * STACK);
        arenas[0] = arenas[1];
        arenas[1] = map_memory(STACKS * STACK);
        n_used = 0;
    }
    return arenas[1] + STACK * n_used++;
}
#endif

}  // namespace

#ifndef SIMT_UCONTEXT
// Saves what a called function must keep, and the stack pointer to *save; goes on at `load`.
extern "C" void simt_switch(void** save, void* load);
__asm__(R"(
.text
.globl simt_switch
.hidden simt_switch
.type simt_switch, @function
simt_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size simt_switch, . - simt_switch
)");
constexpr int SAVED_REGISTERS = 6;
#endif

#ifdef SIMT_TSAN
Fiber::Fiber() {}

Fiber::~Fiber() {}
#else
Fiber::Fiber() {
    char* const place = map_memory(GUARD + STACK);
    mprotect(place, GUARD, PROT_NONE);
    stack_ = place + GUARD;
}

Fiber::~Fiber() { munmap(stack_ - GUARD, GUARD + STACK); }
#endif

void Fiber::prepare(void (*entry)()) {
#ifdef SIMT_TSAN
    // A fresh fiber has seen nothing of earlier blocks: races between blocks show.
    stack_ = new_stack();
    if (sanitizer_) retire(sanitizer_);
    sanitizer_ = __tsan_create_fiber(0);
#elif defined(SIMT_ASAN)
    sanitizer_ = nullptr;
#endif
#ifdef SIMT_UCONTEXT
    getcontext(&context_);
    context_.uc_stack.ss_sp = stack_;
    context_.uc_stack.ss_size = STACK;
    context_.uc_link = nullptr;
    makecontext(&context_, entry, 0);
#else
    void** top = (void**)(stack_ + STACK);
    *--top = nullptr;  // the return address of `entry`: a backtrace ends here
    *--top = (void*)entry;
    for (int i = 0; i < SAVED_REGISTERS; ++i) *--top = nullptr;
    stack_pointer_ = top;
#endif
}

void Fiber::resume() {
#ifdef SIMT_TSAN
    constexpr unsigned WITHOUT_ORDER = 1;
    __tsan_switch_to_fiber(sanitizer_, WITHOUT_ORDER);
#endif
#ifdef SIMT_ASAN
    __sanitizer_start_switch_fiber(&scheduler.sanitizer, stack_, STACK);
#endif
#ifdef SIMT_UCONTEXT
    swapcontext(&scheduler.context, &context_);
#else
    simt_switch(&scheduler.stack_pointer, stack_pointer_);
#endif
#ifdef SIMT_ASAN
    __sanitizer_finish_switch_fiber(scheduler.sanitizer, nullptr, nullptr);
#endif
}

void Fiber::suspend([[maybe_unused]] bool last) {
#ifdef SIMT_TSAN
    constexpr unsigned WITHOUT_ORDER = 1;
    __tsan_switch_to_fiber(scheduler.sanitizer, WITHOUT_ORDER);
#endif
#ifdef SIMT_ASAN
    __sanitizer_start_switch_fiber(last ? nullptr : &sanitizer_, scheduler.bottom, scheduler.size);
#endif
#ifdef SIMT_UCONTEXT
    swapcontext(&context_, &scheduler.context);
#else
    simt_switch(&stack_pointer_, scheduler.stack_pointer);
#endif
#ifdef SIMT_ASAN
    __sanitizer_finish_switch_fiber(sanitizer_, nullptr, nullptr);
#endif
}

void Fiber::entered() {
#ifdef SIMT_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &scheduler.bottom, &scheduler.size);
#endif
}

void begin_scheduling() {
#ifdef SIMT_TSAN
    scheduler.sanitizer = __tsan_get_current_fiber();
#endif
}

}  // namespace simt

// Rounding of the processor while a kernel runs: to nearest, with subnormal numbers, as in IEEE 754.
//
// A program may have set its thread otherwise. A shared library that was linked with -ffast-math does
// so when it is loaded: numbers below 1e-38 then count as 0, and answers change.
#pragma once
#include <stdint.h>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

namespace eventsim {

// The default for as long as it lives, then what was before.
class DefaultRounding {
#if defined(__x86_64__)
    using Word = uint32_t;
    // Rounding, flush to zero, denormals are zero; exceptions are masked, and their flags left alone.
    static constexpr Word CONTROL = 0xffc0, DEFAULT = 0x1f80;
    static Word read() { return _mm_getcsr(); }
    static void write(Word word) { _mm_setcsr(word); }
#elif defined(__aarch64__)
    using Word = uint64_t;
    static constexpr Word CONTROL = ~Word{0}, DEFAULT = 0;
    static Word read() {
        Word word;
        asm volatile("mrs %0, fpcr" : "=r"(word));
        return word;
    }
    static void write(Word word) { asm volatile("msr fpcr, %0" : : "r"(word)); }
#else
    using Word = int;
    static constexpr Word CONTROL = 0, DEFAULT = 0;
    static Word read() { return 0; }
    static void write(Word) {}
#endif

    const Word before_;
    const bool other_;

  public:
    DefaultRounding() : before_(read()), other_((before_ & CONTROL) != DEFAULT) {
        if (other_) write(DEFAULT);
    }
    ~DefaultRounding() {
        if (other_) write(before_);
    }
    DefaultRounding(const DefaultRounding&) = delete;
    DefaultRounding& operator=(const DefaultRounding&) = delete;
};

}  // namespace eventsim

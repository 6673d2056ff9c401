// Instruction sets of the processor that its system allows, by cpuid and xgetbv.
//
// What __builtin_cpu_supports says depends on the compiler's run-time library: not used.
// Source   Intel, Software Developer's Manual, volume 2A, CPUID; volume 1, 13.3 (XCR0), for the system;
//          x86-64 psABI, 3.1.1, for the names v3 and v4.
#include "dispatch.hpp"
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace eventsim {

uint32_t levels_built() {
    uint32_t found = 0;
#define ADD(level, LEVEL, ...) found |= 1u << LEVEL;
    AT_EACH_LEVEL(ADD, )
    return found;
}

#if defined(__x86_64__)
namespace {

constexpr bool has(uint32_t bits, uint32_t mask) { return (bits & mask) == mask; }
constexpr uint32_t bit(int k) { return 1u << k; }

// The registers whose values the system keeps between threads: XCR0.
uint32_t registers_kept() {
    uint32_t low, high;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

}  // namespace

uint32_t levels_of_machine() {
    uint32_t a, b, c, d, found = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d)) return found;
    // FMA, CMPXCHG16B, SSE4.1, SSE4.2, MOVBE, POPCNT, OSXSAVE, AVX, F16C, SSSE3, SSE3
    const uint32_t first = bit(12) | bit(13) | bit(19) | bit(20) | bit(22) | bit(23) | bit(27) |
                           bit(28) | bit(29) | bit(9) | bit(0);
    if (!has(c, first)) return found;
    const uint32_t kept = registers_kept();
    uint32_t more_b, more_c, more_d;
    if (!__get_cpuid_count(7, 0, &a, &more_b, &more_c, &more_d)) return found;
    if (!__get_cpuid(0x80000001, &a, &b, &c, &d)) return found;
    // BMI1, AVX2, BMI2; LZCNT; the system keeps XMM and YMM
    const bool v3 = has(more_b, bit(3) | bit(5) | bit(8)) && has(c, bit(5)) && has(kept, 0x06);
    // AVX512 F, DQ, CD, BW, VL; the system keeps the masks and all of ZMM
    const uint32_t wide = bit(16) | bit(17) | bit(28) | bit(30) | bit(31);
    if (v3) found |= bit(V3);
    if (v3 && has(more_b, wide) && has(kept, 0xe6)) found |= bit(V4);
    return found;
}
#else
uint32_t levels_of_machine() { return 1u << NEON; }  // part of every aarch64
#endif

}  // namespace eventsim

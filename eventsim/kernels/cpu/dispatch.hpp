// Instruction sets: those that this library was built for, and those that the processor has.
#pragma once
#include <stdint.h>

namespace eventsim {

// x86-64 has the first two, the slower in front; aarch64 the last.
enum Level { V3, V4, NEON, N_LEVELS };

// Sets of levels, 1 << level.
uint32_t levels_built();
uint32_t levels_of_machine();

}  // namespace eventsim

// X(level, LEVEL, ...) for each level that is built.
#ifdef WITH_V3
#define AT_V3(X, ...) X(v3, V3, __VA_ARGS__)
#else
#define AT_V3(X, ...)
#endif
#ifdef WITH_V4
#define AT_V4(X, ...) X(v4, V4, __VA_ARGS__)
#else
#define AT_V4(X, ...)
#endif
#ifdef WITH_NEON
#define AT_NEON(X, ...) X(neon, NEON, __VA_ARGS__)
#else
#define AT_NEON(X, ...)
#endif
#define AT_EACH_LEVEL(X, ...) \
    AT_V3(X, __VA_ARGS__) AT_V4(X, __VA_ARGS__) AT_NEON(X, __VA_ARGS__)

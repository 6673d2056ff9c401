// Memory that a call works in, taken at once.
#pragma once
#include <stdint.h>

#include <algorithm>
#include <cstddef>

namespace eventsim {

// Memory of one call, at lines of the cache.
class Arena {
    char *memory, *next;

  public:
    explicit Arena(std::size_t bytes) : memory((char*)__builtin_malloc(bytes + 64)), next(memory) {
        next += -(uintptr_t)memory & 63;
    }
    Arena(const Arena&) = delete;
    ~Arena() { __builtin_free(memory); }
    bool ok() const { return memory != nullptr; }
    template <class T> T* take(std::size_t n) {
        T* const found = (T*)next;
        next += (n * sizeof(T) + 63) / 64 * 64;
        return found;
    }
    template <class T> T* zeros(std::size_t n) {
        T* const found = take<T>(n);
        if (ok()) std::fill(found, found + n, T(0));
        return found;
    }
};

}  // namespace eventsim

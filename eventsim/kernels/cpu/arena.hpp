// Memory that a call works in, taken at once.
#pragma once
#include <stdint.h>

#include <algorithm>
#include <cstddef>

namespace eventsim {

// Memory of one call, at lines of the cache.
class Arena {
    char *memory = nullptr, *next = nullptr;
    std::size_t bytes = 0;

  public:
    Arena() = default;
    explicit Arena(std::size_t bytes) { renew(bytes); }
    Arena(const Arena&) = delete;
    // Begins anew, with room for so many bytes: what was taken is lost. False where there is no memory.
    bool renew(std::size_t bytes) {
        if (!memory || bytes > this->bytes) {
            this->bytes = bytes + (memory ? bytes / 4 : 0);
            __builtin_free(memory);
            memory = (char*)__builtin_malloc(this->bytes + 64);
        }
        next = memory + (-(uintptr_t)memory & 63);
        return ok();
    }
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

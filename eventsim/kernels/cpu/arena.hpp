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

// Room that grows; of plain values.
template <class T> class GrowingArray {
    T* items = nullptr;
    int64_t room = 0;

  public:
    int64_t size = 0;

    GrowingArray() = default;
    GrowingArray(const GrowingArray&) = delete;
    ~GrowingArray() { __builtin_free(items); }
    T& operator[](int64_t i) { return items[i]; }
    const T& operator[](int64_t i) const { return items[i]; }
    T* begin() { return items; }
    const T* begin() const { return items; }

    // Room for so many; false where there is no memory.
    bool reserve(int64_t most) {
        if (most <= room) return true;
        const int64_t wanted = std::max({2 * room, most, int64_t(64)});
        void* const found = __builtin_realloc(items, wanted * sizeof(T));
        if (!found) return false;
        items = (T*)found;
        room = wanted;
        return true;
    }
    bool push(const T& x) {
        if (!reserve(size + 1)) return false;
        items[size++] = x;
        return true;
    }
};

}  // namespace eventsim

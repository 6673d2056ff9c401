// Binary search among ascending numbers.
#pragma once
#include <stdint.h>

namespace eventsim {

// The first of the entries low .. high that is n or more; high if none is.
template <class T>
inline int64_t first_at_least(const T* ascending, int64_t low, int64_t high, T n) {
    while (low < high) {
        const int64_t middle = low + (high - low) / 2;
        if (ascending[middle] < n)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

}  // namespace eventsim

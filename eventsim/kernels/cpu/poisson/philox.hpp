// Philox4x32-10, a generator by counters: Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers:
// as easy as 1, 2, 3, SC11.
#pragma once
#include <stdint.h>

#include "../../numbers.hpp"

namespace eventsim {

// Counters of four words of 32 bits, beside each other; then what the generator makes of them.
struct Counters {
    uint32_t *a, *b, *c, *d;

    void set(int64_t k, uint32_t one, uint32_t two, uint32_t three, uint32_t four) const {
        a[k] = one, b[k] = two, c[k] = three, d[k] = four;
    }
};

// The words of n counters take their places.
inline void philox(const Counters& x, int64_t n, uint32_t key, uint32_t other_key) {
    for (int64_t i = 0; i < n; ++i) {
        uint32_t a = x.a[i], b = x.b[i], c = x.c[i], d = x.d[i], k = key, other = other_key;
        UNROLL for (int round = 0; round < 10; ++round) {
            const uint64_t p = uint64_t(0xD2511F53u) * a, q = uint64_t(0xCD9E8D57u) * c;
            a = uint32_t(q >> 32) ^ b ^ k;
            c = uint32_t(p >> 32) ^ d ^ other;
            b = uint32_t(q);
            d = uint32_t(p);
            k += 0x9E3779B9u;
            other += 0xBB67AE85u;
        }
        x.set(i, a, b, c, d);
    }
}

}  // namespace eventsim

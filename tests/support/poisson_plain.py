"""Events of Poisson sources in plain NumPy: :mod:`eventsim.events.poisson_sources` defines them."""

import math

import numpy as np
from mpmath import mp, mpf

MULTIPLIERS = 0xD2511F53, 0xCD9E8D57
STEPS = 0x9E3779B9, 0xBB67AE85  # of the key, from round to round
WORD, TICKS = 2**32, 2**28  # values of a word; ticks of a ms


def philox(counters, key):
    """Words of Philox4x32-10 for counters of four words of 32 bits, [counters, 4]."""
    c0, c1, c2, c3 = (np.asarray(column, np.uint64) for column in np.transpose(counters))
    k0, k1 = key
    for _ in range(10):
        one, other = c0 * np.uint64(MULTIPLIERS[0]), c2 * np.uint64(MULTIPLIERS[1])
        c0 = other // np.uint64(WORD) ^ c1 ^ np.uint64(k0)
        c2 = one // np.uint64(WORD) ^ c3 ^ np.uint64(k1)
        c1, c3 = other % np.uint64(WORD), one % np.uint64(WORD)
        k0, k1 = (k0 + STEPS[0]) % WORD, (k1 + STEPS[1]) % WORD
    return np.stack([c0, c1, c2, c3], axis=1)


def limits(mean):
    """Words that a cell's first one must reach for one event more, and one more, .."""
    with mp.workdps(40):
        chance = reached = mp.exp(-mpf(mean))
        found = []
        for n in range(1, 37):
            found.append(min(int(mp.ceil(reached * WORD)), WORD))
            chance *= mpf(mean) / n
            reached += chance
    return np.array(found)


def events(rate, source, sample, key, begin, end):
    """Times of a source's events, ms, in order; ``begin`` and ``end`` are ms as well."""
    if rate == 0.0 or end <= begin:
        return np.zeros(0)
    log = min(math.floor(math.log2(8.0 / (rate * 1e-3))), 20)
    length = 2.0**log
    cells = np.arange(begin // length, end // length + 1).astype(int)
    counters = np.array([(source, cell, draw, sample) for cell in cells for draw in range(10)])
    words = philox(counters, key).reshape(cells.size, 40)
    n = np.searchsorted(limits(rate * 1e-3 * length), words[:, 0], side="right")
    cell, k = np.nonzero(np.arange(39) < n[:, None])
    inside = words[cell, k + 1].astype(float) / WORD * length  # exact in a float64
    times = cells[cell] * length + np.floor(inside * TICKS) / TICKS
    return np.sort(times[(times >= begin) & (times < end)])

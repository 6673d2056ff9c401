"""Events put in order, within kernels: as ``eventsim/kernels/cpu/order`` does it."""

import numpy as np

from eventsim.engine.cpu.compile import lean, scalar

# So many events are sorted by insertion.
FEW = 32
# Numbers of buckets fit into 32 bits.
MOST_BUCKETS = 2**30
# Buckets per ms beyond which a time less another times it may overflow.
LARGEST_SCALE = 1e290


@lean
def first_at_least(ascending, low, high, n):
    """First of the entries low : high that is n or more."""
    while low < high:
        middle = (low + high) // 2
        if ascending[middle] < n:
            low = middle + 1
        else:
            high = middle
    return low


@scalar
def _insert(time, row, spike, lo, hi):
    """Sort events that lie near their places by (time, row); like ones keep their order."""
    for i in range(lo + 1, hi):
        t = time[i]
        if time[i - 1] < t:
            continue
        r, number, j = row[i], spike[i], i
        while j > lo and (time[j - 1] > t or (time[j - 1] == t and row[j - 1] > r)):
            time[j], row[j], spike[j] = time[j - 1], row[j - 1], spike[j - 1]
            j -= 1
        time[j], row[j], spike[j] = t, r, number


@scalar
def _merge_halves(time, row, spike, lo, middle, hi, time2, row2, spike2):
    """Merge two sorted runs of events into the second arrays."""
    i, j = lo, middle
    for k in range(lo, hi):
        first = j >= hi or time[i] < time[j] or (time[i] == time[j] and row[i] <= row[j])
        first = first and i < middle
        at = i if first else j
        time2[k], row2[k], spike2[k] = time[at], row[at], spike[at]
        i, j = (i + 1, j) if first else (i, j + 1)


@scalar
def _sort_many(time, row, spike, lo, hi, time2, row2, spike2):
    """As _insert, for any number of events; the second arrays are workspace."""
    for start in range(lo, hi, FEW):
        _insert(time, row, spike, start, min(start + FEW, hi))
    width = FEW
    while width < hi - lo:
        for start in range(lo, hi, 2 * width):
            middle, end = min(start + width, hi), min(start + 2 * width, hi)
            _merge_halves(time, row, spike, start, middle, end, time2, row2, spike2)
        time[lo:hi], row[lo:hi], spike[lo:hi] = time2[lo:hi], row2[lo:hi], spike2[lo:hi]
        width *= 2


@scalar
def _buckets(time):
    """Bucket of every event, of as many as there are events, each of the same length in time."""
    n, first, last = time.size, time[0], time[0]
    for t in time:
        first, last = min(first, t), max(last, t)
    n_buckets = min(n, MOST_BUCKETS)
    scale = n_buckets / (last - first) if last > first else 0.0
    if not scale < LARGEST_SCALE:
        scale = 0.0
    bucket, highest = np.empty(n, np.int32), np.float64(n_buckets - 1)
    for i in range(n):
        bucket[i] = np.int32(min((time[i] - first) * scale, highest))
    return bucket, n_buckets


@scalar
def _into_buckets(bucket, n_buckets, time, row, spike, out_time, out_row, out_spike):
    """Copy events bucket after bucket; returns the end of each, and how many the largest has."""
    ends, largest = np.zeros(n_buckets + 1, np.int64), 0
    for b in bucket:
        ends[b + 1] += 1
    for b in range(n_buckets):
        largest = max(largest, ends[b + 1])
        ends[b + 1] += ends[b]
    for i in range(time.size):
        b = bucket[i]
        to = ends[b]
        out_time[to], out_row[to], out_spike[to] = time[i], row[i], spike[i]
        ends[b] = to + 1
    return ends[:n_buckets], largest


@scalar
def sort_run(given, found):
    """Sort events (time, row, spike) by (time, row); those that are alike keep their order.

    Those ``given`` serve as workspace. They go into buckets of equal length in time, one into each
    on average, and are then put in order by insertion; by merging those of one bucket where a
    bucket has many, as where many events have one time.
    """
    time, _, _ = given
    bucket, n_buckets = _buckets(time)
    ends, largest = _into_buckets(bucket, n_buckets, *given, *found)
    if largest <= FEW:
        _insert(*found, 0, time.size)
        return
    begin = 0
    for end in ends:
        _sort_many(*found, begin, end, *given)
        begin = end

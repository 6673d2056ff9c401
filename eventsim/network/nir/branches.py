"""Branches: how synapses with different delays, or of one pair, stand in NIR.

A delay of NIR belongs to a source, and a matrix has one weight for a pair. So synapses of a source
stand in as many branches, each of a delay and a matrix, as they have different delays; several
synapses of one pair with one delay take a branch each.
"""

import numpy as np

from eventsim.arrays import Floats, Ints


def branches_of(source: Ints, target: Ints, delay: Floats) -> Ints:
    """Branch of every synapse, from 0 on. New array.

    Branches of a source are in order of delay, then of the place among equal synapses.
    """
    order = np.lexsort((target, delay, source))  # stable
    place = np.empty(source.size, np.int64)
    place[order] = _within(source[order], delay[order], target[order])
    order = np.lexsort((place, delay, source))
    first = np.zeros(source.size, np.bool_)
    first[1:] = (np.diff(delay[order]) != 0.0) | (np.diff(place[order]) != 0)
    begins = _begins(source[order])
    first[begins] = False
    count = np.cumsum(first)
    found = np.empty(source.size, np.int64)
    found[order] = count - np.maximum.accumulate(np.where(begins, count, 0))
    return found


def _within(*keys: np.ndarray) -> Ints:
    """Place of every item in its run of equal keys."""
    begins = np.zeros(keys[0].size, np.bool_)
    for key in keys:
        begins |= _begins(key)
    number = np.arange(begins.size)
    found: Ints = number - np.maximum.accumulate(np.where(begins, number, 0))
    return found


def _begins(key: np.ndarray) -> np.ndarray:
    """Whether an item differs from the one before it."""
    found = np.ones(key.size, np.bool_)
    found[1:] = key[1:] != key[:-1]
    return found

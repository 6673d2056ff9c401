"""Tables of linear neurons that are kept from run to run."""

import tracemalloc

import numpy as np

from eventsim.engine.contract import linear
from eventsim.neuron.linear_tables import back_tables


def test_a_process_keeps_tables_of_few_sets():
    """A training of a few neurons makes a set in each step, of 4 MB where they have five states."""
    linear._kept.cache_clear()
    rates = np.arange(20, 36, dtype=np.longdouble)[:, None, None]
    tracemalloc.start()
    for step in range(1, 33):
        flow = np.eye(5, dtype=np.longdouble) * rates * (-0.001 * step)
        found = linear._made(back_tables, flow, np.full(16, 0.5), bits=6, far=True)
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    linear._kept.cache_clear()
    assert kept < 20 * sum(part.nbytes for part in found)

"""Blocks of neurons over processes."""

import numpy as np
import pytest

from eventsim.ranks.decomposition import BLOCK, Decomposition

SIZES = (5 * BLOCK + 1, 1, 3 * BLOCK)


@pytest.mark.parametrize("n_ranks", [1, 2, 3, 10])
def test_every_neuron_belongs_to_the_process_that_has_it(n_ranks):
    found = Decomposition(SIZES, n_ranks)
    mine = [found.neurons(rank) for rank in range(n_ranks)]
    np.testing.assert_array_equal(np.sort(np.concatenate(mine)), np.arange(sum(SIZES)))
    for rank, neurons in enumerate(mine):
        assert (found.owner(neurons) == rank).all()
        assert (np.diff(neurons) > 0).all()


def test_processes_have_equal_shares_of_every_population_but_for_a_block():
    sizes = (1000, 400)
    found = Decomposition(sizes, 3)
    shares = np.zeros((3, 2))
    for rank in range(3):
        for block in found.blocks(rank):
            shares[rank, block.population] += block.high - block.low
    assert (shares.sum(axis=0) == sizes).all()
    assert (np.ptp(shares, axis=0) <= BLOCK).all()


@pytest.mark.parametrize(("sizes", "processes"), [(SIZES, 6 + 1 + 3), ((2**30, 2**30 - 1), 1000)])
def test_as_many_processes_as_blocks_and_as_many_neurons_as_32_bits_number_pass(sizes, processes):
    Decomposition(sizes, processes).check()

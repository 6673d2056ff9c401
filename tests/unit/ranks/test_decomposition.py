"""Blocks of neurons over processes."""

import numpy as np
import pytest

from eventsim.errors import ParameterError
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


def test_as_many_processes_as_blocks_pass_and_one_more_is_refused():
    n_blocks = 6 + 1 + 3
    Decomposition(SIZES, n_blocks).check()
    with pytest.raises(ParameterError, match=f"11 processes .* Start at most {n_blocks}"):
        Decomposition(SIZES, n_blocks + 1).check()


def test_more_neurons_than_32_bits_number_are_refused():
    Decomposition((2**30, 2**30 - 1), 1000).check()
    with pytest.raises(ParameterError, match=r"2,147,483,648 neurons in all, expected at most"):
        Decomposition((2**30, 2**30), 1000).check()

"""One network over real processes, started by mpiexec: the bits of one process on 2 and on 4."""

import pytest

from tests.parallel import ranks_worker as worker

ALIKE = ("one_delay", "many_delays", "single", "whole")


pytestmark = pytest.mark.thorough(
    "starts processes by mpiexec; threads take their place in tests/unit"
)


@pytest.fixture(scope="module")
def alone():
    """What one process gives, without MPI."""
    return {name: worker.SCENARIOS[name]() for name in ALIKE}


@pytest.fixture(scope="module")
def two(mpi, tmp_path_factory):
    return mpi("ranks_worker", 2, tmp_path_factory.mktemp("two"), *ALIKE, "others", "wild")


@pytest.fixture(scope="module")
def four(mpi, tmp_path_factory):
    return mpi("ranks_worker", 4, tmp_path_factory.mktemp("four"), *ALIKE)


@pytest.mark.parametrize("name", ALIKE)
def test_two_and_four_processes_have_the_bits_of_one(alone, two, four, name):
    for outcomes in (two, four):
        found = [outcome[name] for outcome in outcomes]
        assert {one["spikes"] for one in found} == {alone[name]["spikes"]}
        for projection, count in alone[name]["synaptic_events"].items():
            assert sum(one["synaptic_events"][projection] for one in found) == count
        for what in ("neurons", "synapses"):
            assert sum(one[what] for one in found) == alone[name][what]


def test_drawn_network_and_the_same_as_a_whole_have_equal_bits(alone):
    assert alone["one_delay"]["spikes"] == alone["whole"]["spikes"]
    assert alone["one_delay"]["spikes"] != alone["many_delays"]["spikes"]


def test_no_process_stores_more_than_its_share(alone, four):
    # Five blocks of neurons, 32 each but the last of both populations: one process has two.
    most = max(outcome["one_delay"]["synapses"] for outcome in four)
    assert most <= 2 * 32 / 125 * alone["one_delay"]["synapses"]


def test_processes_with_other_networks_refuse_to_run(two):
    for outcome in two:
        assert outcome["others"].startswith("PeerError: simulate_ranks: process 1 of 2 has another")


def test_error_of_one_process_ends_the_other(two):
    first, second = (outcome["wild"] for outcome in two)
    assert first.startswith("PeerError: simulate_ranks: process 1 of 2 failed")
    assert second.startswith("RunawayError: Population 'wild', sample 0: neuron 5 ")

"""One of the processes that tests/parallel/test_ranks.py starts: one network over all of them.

Usage: python -m tests.parallel.ranks_worker FOLDER SCENARIO ..; writes FOLDER/RANK.json.
"""

import hashlib
import json
import sys
from pathlib import Path

from eventsim import uniform
from eventsim.ranks import simulate_ranks
from tests.unit.ranks.nets import balanced, noise, runaway


def digest(trains):
    """Of all spikes, to the bit."""
    found = hashlib.sha256()
    for name, each in trains.items():
        found.update(name.encode() + each.times.tobytes() + each.neurons.tobytes())
    return found.hexdigest()


def outcome(net, world=None, **options):
    """What the tests compare."""
    found = simulate_ranks(net, noise(), world, **options)
    return {
        "spikes": digest(found.gather(world)),
        "synaptic_events": dict(found.synaptic_events),
        "neurons": found.n_neurons,
        "synapses": found.n_synapses,
    }


def one_delay(world=None):
    return outcome(balanced(), world)


def many_delays(world=None):
    return outcome(balanced(delay=uniform(0.5, 3.0)), world)


def single(world=None):
    return outcome(balanced(), world, precision="single")


def whole(world=None):
    return outcome(balanced().whole(), world)


def others(world):
    return outcome(balanced(seed=world.Get_rank()), world)


def wild(world):
    return outcome(runaway(), world)


SCENARIOS = {each.__name__: each for each in (one_delay, many_delays, single, whole, others, wild)}


def main(folder, names):
    from mpi4py import MPI

    world, outcomes = MPI.COMM_WORLD, {}
    for name in names:
        try:
            outcomes[name] = SCENARIOS[name](world)
        except Exception as error:
            outcomes[name] = f"{type(error).__name__}: {error}"
    (folder / f"{world.Get_rank()}.json").write_text(json.dumps(outcomes))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])

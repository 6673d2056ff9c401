import numpy as np
import scipy.sparse as sp

import eventsim as es
from eventsim.chips import Chip, Limits
from tests.support import nets
from tests.support.nets import one_layer


def make_chip(**limits):
    """A chip of our own; by default 4 x 3 tiles of two cores."""
    given = {"cores": 24, "mesh": (4, 3), "cores_per_tile": 2} | limits
    return Chip("mine", "Mine", "chip", "test", 1.0, Limits(**given), None, {}, {})


def random_net(seed=0, *, n_inputs=12, hidden=(20, 16), n_outputs=3, density=0.3):
    """Sparse, dense, self-recurrent and lateral projections, a skip, and weights that are 0."""
    rng = np.random.default_rng(seed)

    def sparse(n, m):
        return sp.random_array(
            (n, m), density=density, rng=rng, data_sampler=lambda size: rng.normal(3.0, 3.0, size)
        ).tocsr()

    net = one_layer("hidden1", sparse(n_inputs, hidden[0]), tau_mem=15.0)
    net.add_population("hidden2", hidden[1])
    net.add_readout("output", n_outputs)
    net.connect("hidden1", "hidden1", es.self_recurrent(rng.normal(0.1, 0.1, hidden[0])))
    dense = rng.normal(1.0, 2.0, hidden)
    dense[rng.random(hidden) > density] = 0.0
    net.connect("hidden1", "hidden2", dense)
    net.connect("input", "hidden2", sparse(n_inputs, hidden[1]))
    lateral = sparse(hidden[1], hidden[1])
    lateral.data *= 0.1
    net.connect("hidden2", "hidden2", lateral)
    net.connect("hidden2", "output", rng.normal(0.0, 1.0, (hidden[1], n_outputs)))
    return net


def random_stream(seed=0, **more):
    given = {"n_samples": 2, "n_channels": 12, "rate": 100.0, "even": True}
    return nets.random_stream(seed, **(given | more))

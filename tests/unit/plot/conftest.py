import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot

import eventsim as es


@pytest.fixture(autouse=True)
def no_figure_is_left():
    """Each test draws by Agg and begins and ends without figures of pyplot."""
    matplotlib.use("Agg")
    pyplot.close("all")
    yield
    pyplot.close("all")


@pytest.fixture(scope="session")
def stream():
    """Two samples on four channels, the second one shorter."""
    samples = [([2.0, 3.0, 3.5, 9.0], [0, 3, 1, 0]), ([1.0, 4.0], [2, 2])]
    return es.EventStream.from_samples(samples, n_channels=4, duration=[40.0, 20.0])


@pytest.fixture(scope="session")
def net():
    """Two spiking populations of unlike sizes and a readout."""
    rng = np.random.default_rng(0)
    net = es.Network()
    net.add_input("input", 4)
    net.add_population("first", 9, refractory=1.0)
    net.add_population("second", 2)
    net.add_readout("output", 3)
    net.connect("input", "first", rng.normal(9.0, 2.0, (4, 9)))
    net.connect("first", "second", rng.normal(1.5, 0.2, (9, 2)), delays=1.0)
    net.connect("second", "output", rng.normal(0.0, 1.0, (2, 3)))
    return net


@pytest.fixture(scope="session")
def tape(net, stream):
    """Their run."""
    tape = es.simulate(net, stream, backend="reference")
    assert len(tape["first"]) > 10
    assert len(tape["second"]) > 2
    return tape

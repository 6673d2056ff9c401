import numpy as np
import pytest

import eventsim as es


def test_rows_hold_every_neuron_once():
    rng = np.random.default_rng(1)
    net = es.scsr(3, (50,), 2)
    taus = rng.lognormal(3.0, 0.5, 50)
    net.populations["hidden1"].tau_mem[:] = taus

    axes = es.plot.taus(net)

    steps = [patch.get_data() for patch in axes.patches]
    assert len(steps) == 4
    labels = [text.get_text() for text in axes.get_yticklabels()]
    assert labels[0].startswith("hidden1 ")
    assert labels[0].endswith(f"median {np.median(taus):.3g} ms")
    # The highest bin fills the row; all bins together are all neurons.
    values, edges, baseline = steps[0]
    counts, _ = np.histogram(taus, bins=edges)
    assert counts.sum() == 50
    np.testing.assert_allclose((values - baseline) / 0.8, counts / counts.max())


def test_equal_time_constants_are_one_bin_around_them():
    axes = es.plot.taus(es.scsr(3, (4,), 2))

    first, second = (patch.get_data() for patch in axes.patches[:2])
    assert first.edges.size == second.edges.size == 2
    assert np.sqrt(first.edges.prod()) == pytest.approx(20.0)
    assert np.sqrt(second.edges.prod()) == pytest.approx(5.0)
    assert [line.get_xdata()[0] for line in axes.lines[:4:2]] == [20.0, 5.0]

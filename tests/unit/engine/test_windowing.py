"""The functions by which arrivals in a window are summed, beside the scalar formulas."""

import numpy as np
import pytest

import eventsim as es
from eventsim.engine import make_job
from eventsim.engine.contract import windowing
from eventsim.neuron.lif import synaptic_gain
from eventsim.plan import make_plan
from tests.support.nets import large_net, random_stream, two_kinds_net


def loop_job(net, n_channels, precision):
    stream = random_stream(1, n_samples=1, n_channels=n_channels, duration=5.0)
    plan = make_plan(net)
    stage = next(stage for stage in plan.stages if stage.lateral)
    return make_job(plan, stage, es.SpikeTape(stream, {}, {}, "cpu", precision))


@pytest.mark.parametrize(("precision", "atol"), [("single", 3e-7), ("double", 3e-15)])
@pytest.mark.parametrize("length", [0.5, 7.0])
def test_powers_are_the_responses_of_neurons_with_different_time_constants(precision, atol, length):
    job = loop_job(large_net(3, n=40), 20, precision)
    windows = windowing.make_windows(job, length)
    basis, p = windows.basis, job.stage.population
    longest = length / windows.pieces
    assert longest / min(p.tau_mem.min(), p.tau_syn.min()) <= windowing.LONGEST * 1.001
    assert len(basis.by_v) < windows.width
    for s in np.linspace(0.0, longest, 23):
        powers = (2.0 * s / basis.reach - 1.0) ** np.arange(len(basis.by_v))
        gains = [synaptic_gain(s, m, k) for m, k in zip(p.tau_mem, p.tau_syn, strict=True)]
        np.testing.assert_allclose(powers @ basis.by_v, gains, rtol=0, atol=atol)
        np.testing.assert_allclose(powers @ basis.by_j, np.exp(-s / p.tau_syn), rtol=0, atol=atol)


def test_populations_of_alike_neurons_take_the_responses_themselves():
    windows = windowing.make_windows(loop_job(two_kinds_net(4), 5, "double"), 30.0)
    assert windows.basis.reach == 0.0
    assert windows.pieces == 1
    assert windows.width == windowing.WIDTHS[0]

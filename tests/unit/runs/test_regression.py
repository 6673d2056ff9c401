"""The readout of a run of regression is in the unit of the targets, and so are its errors."""

from dataclasses import replace

import numpy as np
import pytest

import eventsim as es
from eventsim.errors import DataError
from eventsim.events.targets import Targets
from eventsim.runs import regression


def network():
    net = es.scsr(4, (6,), 2, mean=5.0, seed=1)
    net.population("output").v_leak[...] = (0.5, -2.0)
    return net


def data(values):
    samples = [(np.linspace(1.0, 30.0, 40), np.arange(40) % 4)] * len(values)
    stream = es.EventStream.from_samples(samples, n_channels=4, duration=40.0)
    plain = es.events.Dataset(stream, [0] * len(values), ["0"])
    times = np.tile(np.arange(1.0, 1.0 + values.shape[1]), (len(values), 1))
    return replace(plain, targets=Targets(values, times, ("speed", "angle")))


def test_network_in_units_answers_the_size_times_its_voltage_and_the_mean():
    net, stream, times = network(), data(np.zeros((2, 3, 2))).stream, [5.0, 20.0, 40.0]
    mean, size = np.array([50.0, -3.0]), np.array([10.0, 0.25])
    plain, found = (
        es.voltage(one, es.simulate(one, stream, backend="reference"), "output", times)
        for one in (net, regression.in_units(net, mean, size))
    )
    assert np.ptp(plain[..., 0]) > 0.1
    np.testing.assert_allclose(found, size * plain + mean, rtol=1e-12)
    assert net.population("output").v_leak.tolist() == [0.5, -2.0]  # a copy


def test_unit_of_an_output_is_its_deviation_or_1_where_all_values_are_equal():
    values = np.random.default_rng(0).normal(4.0, 3.0, (5, 6, 2))
    values[0, 0, 0] = np.nan
    values[:, :, 1] = 0.1  # whose deviation is rounded, and above 0
    assert 0.0 < values[:, :, 1].std() < 1e-15
    mean, size = regression._scale(data(values), "these")
    np.testing.assert_allclose(mean, [np.nanmean(values[:, :, 0]), 0.1], rtol=1e-12)
    np.testing.assert_allclose(size, [np.nanstd(values[:, :, 0]), 1.0], rtol=1e-12)
    values[:, :, 1] = np.nan
    with pytest.raises(DataError, match="these: .* no target of the output 'angle'"):
        regression._scale(data(values), "these")

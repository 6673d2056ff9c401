"""A constant current by its name: the closed form of rates and voltages, files, refusals."""

import numpy as np
import pytest

import eventsim as es

SILENT = es.EventStream([], [], [0, 0], n_channels=1, duration=500.0)
CURRENT = np.array([0.0, 300.0, 400.0, 1000.0])  # pA; 375 brings V to the threshold
CORTEX = {"v_leak": -65.0, "threshold": -50.0, "v_reset": -65.0, "refractory": 2.0}


def cells(neuron=None, current=CURRENT):
    net = es.Network()
    net.add_input("input", 1)
    own = {"tau_mem": 10.0, "tau_syn": 0.5, "resistance": 0.04} if neuron is None else {}
    net.add_population("cells", 4, neuron=neuron, constant_current=current, **CORTEX, **own)
    return net


@pytest.mark.parametrize("several", [False, True])
def test_neurons_under_a_constant_current_fire_as_in_closed_form(several, backend):
    neuron = es.LIF(tau_mem=10.0, tau_syn={"a": 0.5, "b": 5.0}, resistance=0.04)
    tape = es.simulate(cells(neuron if several else None), SILENT, backend=backend)
    times, neurons = tape["cells"].sample(0)
    assert set(neurons) == {2, 3}
    for k in (2, 3):
        up = -65.0 + 0.04 * CURRENT[k]
        wait = 10.0 * np.log((up + 65.0) / (up + 50.0))
        own = times[neurons == k]
        wanted = wait + (wait + 2.0) * np.arange(own.size)
        assert np.allclose(own, wanted, rtol=0, atol=1e-8)
        assert own.size == np.ceil((500.0 - wait) / (wait + 2.0))


def test_from_its_leak_a_voltage_charges_to_what_the_current_says():
    net = cells(current=200.0)
    tape = es.simulate(net, SILENT, start=es.Start(voltage={"cells": -65.0}), backend="cpu")
    t = np.array([0.0, 5.0, 40.0])
    wanted = -65.0 + 0.04 * 200.0 * (1.0 - np.exp(-t / 10.0))
    assert np.allclose(es.voltage(net, tape, "cells", t)[0, :, 0], wanted, rtol=0, atol=1e-12)


def test_a_readout_rests_where_its_current_holds_it(tmp_path):
    net = cells()
    net.add_readout("output", 2, v_leak=0.5, resistance=2.0, constant_current=[1.0, -1.0])
    net.save(tmp_path / "net.npz")
    for one in (net, es.Network.load(tmp_path / "net.npz")):
        tape = es.simulate(one, SILENT, backend="cpu")
        assert es.voltage(one, tape, "output", 3.0)[0, 0].tolist() == [2.5, -1.5]
        assert one.populations["cells"].v_leak.tolist() == [-65.0, -53.0, -49.0, -25.0]


def test_one_number_is_that_of_all_and_parameters_may_differ():
    net = es.Network()
    net.add_population("a", 2, v_leak=[0.0, 0.1], resistance=[1.0, 2.0], constant_current=0.3)
    assert np.allclose(net.populations["a"].v_leak, [0.3, 0.7], rtol=0, atol=1e-15)


def test_other_kinds_of_neurons_take_a_constant_current_of_nothing():
    for neuron in (es.AdLIF(), es.Resonator()):
        es.Network().add_population("a", 2, neuron=neuron, constant_current=0.0)

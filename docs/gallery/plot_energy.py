"""
Energy by chip
==============

One run, counted exactly and priced with the figures of chips; leakage, where known, left out. The
sums are lower bounds, each without the terms for which nobody published a figure.
"""

import numpy as np

import eventsim as es
from eventsim.chips import load_chip
from eventsim.energy import run_costs

rng = np.random.default_rng(0)
times = np.sort(rng.uniform(0.0, 500.0, 3000))
channels = rng.integers(0, 64, 3000)
stream = es.EventStream(times, channels, [0, 3000], n_channels=64, duration=500.0)
net = es.calibrate(es.scsr(64, (128, 128), 10), stream)

names = ("45nm", "45nm_sram", "loihi", "truenorth", "spinnaker", "spinnaker2")
reports = run_costs(net, es.simulate(net, stream), [load_chip(name) for name in names]).reports
active = [report.activity_pj / 1e6 for report in reports]
_, axes = es.plot.subplots(size=(8.0, 3.0))
axes.plot(active, [report.chip.title for report in reports], "o")
axes.set(xscale="log", xlabel="energy of a recording of 500 ms (µJ), at least")
axes.grid(axis="x", alpha=0.4)

"""
An answer while the recording runs
==================================

The scores of both classes if the recording ended now: exact at every time, from one run.
"""

import numpy as np

import eventsim as es
from eventsim.train import decision_over_time

rng = np.random.default_rng(1)
samples, labels = [], np.arange(100) % 2
for label in labels:  # a sweep over 16 channels, down or up
    times = np.sort(rng.uniform(0, 100, 60))
    height = times if label else 100 - times
    channels = np.clip(height * 0.15 + rng.normal(0, 1.5, 60), 0, 15).astype(int)
    samples.append((times, channels))
stream = es.EventStream.from_samples(samples, n_channels=16, duration=100.0)
data = es.Dataset(stream, labels, class_names=("down", "up"))
net = es.train(es.scsr(16, (20,), 2), data, es.TrainConfig(epochs=5)).net

times = np.linspace(1.0, 100.0, 200)
scores = decision_over_time(net, es.simulate(net, stream), times).scores
ax = es.plot.subplots(size=(6.0, 3.4))[1]
ax.plot(times, scores[1], label=data.class_names)
ax.set(xlabel="time (ms)", ylabel="score")
ax.legend(frameon=False)

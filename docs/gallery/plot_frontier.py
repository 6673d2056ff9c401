"""
Accuracy against energy
=======================

Networks that learn with more or fewer of their synapses, and the Pareto front of what they cost.
"""

import numpy as np

import eventsim as es
from eventsim.chips import load_chip
from eventsim.energy import cost
from eventsim.frontier import pareto_front

train_data = es.datasets.load("yinyang", split="train")[:600]
test_data = es.datasets.load("yinyang", split="test")[:300]
start = es.calibrate(es.scsr(5, (40,), 3), train_data.stream, target_hz=40.0)
sparsities, energies, accuracies = (0.0, 0.4, 0.7, 0.9), [], []
for sparsity in sparsities:
    config = es.TrainConfig(epochs=6, sparse=es.train.SparseTraining(sparsity=sparsity))
    net = es.train(start, train_data, config).net
    accuracies.append(100 * es.evaluate(net, test_data).accuracy)
    energies.append(cost(net, es.simulate(net, test_data.stream), load_chip("loihi")).activity_pj)
front = np.flatnonzero(pareto_front(energies, accuracies))
_, axes = es.plot.subplots(size=(6.0, 3.2))
axes.plot(energies, accuracies, "o", mfc="none", color="#5f6b7a")
axes.plot(np.sort(np.array(energies)[front]), np.sort(np.array(accuracies)[front]), "o-")
axes.set(xlabel="energy of a recording on Loihi (pJ), at least", ylabel="accuracy (%)")

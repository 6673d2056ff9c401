"""
Time constants before and after training
========================================

Backpropagated intrinsic plasticity (BIP) trains every neuron's time constants with the weights.
"""

import eventsim as es
from eventsim import datasets
from eventsim.train import TrainConfig, train

data = datasets.load("yinyang", split="train")[:1000]
net = es.calibrate(es.scsr(5, (60,), 3), data.stream, target_hz=30.0)
config = TrainConfig(epochs=6, batch_size=50, bip=("tau_mem", "tau_syn"))
result = train(net, data, config)

_, (left, right) = es.plot.subplots(1, 2, size=(10.0, 4.0))
es.plot.taus(net, ax=left).set_title("before")
es.plot.taus(result.net, ax=right).set_title("after 6 epochs")
right.set_yticks([])
left.set_xlim(right.get_xlim())

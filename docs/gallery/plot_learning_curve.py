"""
A learning curve
================

Accuracy and loss by epoch on a part of the Yin-Yang data set; a fifth is held out for validation.
"""

import eventsim as es
from eventsim import datasets
from eventsim.train import TrainConfig, train

data = datasets.load("yinyang", split="train")[:1000]
net = es.calibrate(es.scsr(5, (60,), 3), data.stream, target_hz=30.0)
result = train(net, data, TrainConfig(epochs=10, batch_size=50, validation_fraction=0.2))

_, (left, right) = es.plot.subplots(1, 2, size=(10.0, 3.6))
es.plot.history(result, ax=left)
es.plot.history(result, metric="loss", ax=right)

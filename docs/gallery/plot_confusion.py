"""
A confusion matrix
==================

Which class is taken for which: rows are true, columns answered, and wrong answers are bold.
"""

import numpy as np

import eventsim as es

rng = np.random.default_rng(0)
scores = 3.0 * np.eye(5)[np.arange(300) % 5] + rng.normal(0.0, 1.3, (300, 5))
counts = np.zeros((5, 5), np.int64)
np.add.at(counts, (np.arange(300) % 5, scores.argmax(axis=1)), 1)
es.plot.confusion(counts, ("one", "two", "three", "four", "five"))

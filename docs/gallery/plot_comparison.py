"""
Conditions over seeds
=====================

A dot is a seed, the bar is mean and standard deviation, the line the mean of the baseline.
"""

import eventsim as es

accuracies = {
    "weights alone": [88.1, 87.2, 89.0, 88.4],
    "with time constants": [90.6, 91.3, 90.2, 91.0],
    "with all of a neuron": [91.9, 91.1, 92.4, 91.6],
}
es.plot.comparison(accuracies, baseline="weights alone")

"""Losses of voltages at chosen times: closed forms for neurons that do not fire.

The engine's backward pass starts from spikes and from weighted integrals of readouts. A loss of a
readout's voltage at chosen times, or of the largest voltage of a neuron that stayed silent, acts on
that population's own parameters and synapses, and on the times of the spikes that reach it. All of
these are closed forms (:mod:`eventsim.adjoint.linear.voltage`). :func:`eventsim.backward` adds the
first to the gradients and goes on from the second.
"""
